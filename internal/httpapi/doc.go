// Package httpapi owns the HTTP API below /api/v1/: emits, memberships and
// questions for processes that are no Socket.IO server. Its description in
// OpenAPI is openapi.json, served at /api/v1/openapi.json.
//
// Every request but that one needs a bearer key. Keys are kept as hashes and
// compared in constant time. Errors are problem documents (RFC 9457).
//
// Binary values are objects {"$binary": "BASE64"} at any depth of an argument;
// in answers of clients they are plain base64 text.
package httpapi
