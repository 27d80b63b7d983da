package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// MinKey is the shortest key of the API, in characters.
	MinKey = 16

	// hashMark stands before the SHA-256 of a key, in place of the key.
	hashMark = "sha256:"
)

// splitKey splits an entry of api.keys into its name, "" if it has none, and
// the key or its hash.
func splitKey(entry string) (name, key string) {
	name, key, named := strings.Cut(entry, ":")
	if !named || isHash(entry) {
		return "", entry
	}
	return name, key
}

func isHash(key string) bool {
	digits, ok := strings.CutPrefix(key, hashMark)
	b, err := hex.DecodeString(digits)
	return ok && err == nil && len(b) == sha256.Size
}

// badHash tells whether an entry of api.keys was meant to be a hash and is none:
// as a key it would open the API to whoever has read the settings.
func badHash(entry string) bool {
	name, key := splitKey(entry)
	return !isHash(key) && (strings.EqualFold(name+":", hashMark) ||
		len(key) >= len(hashMark) && strings.EqualFold(key[:len(hashMark)], hashMark))
}

// hashed is what is kept of an entry of api.keys: NAME:sha256:HEX, with an
// empty name if it has none.
func hashed(entry string) string {
	name, key := splitKey(entry)
	if !isHash(key) {
		sum := sha256.Sum256([]byte(key))
		key = hashMark + hex.EncodeToString(sum[:])
	}
	return name + ":" + strings.ToLower(key)
}
