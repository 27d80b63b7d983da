// Package lastport owns a port of which the process that listened last gets all
// new connections, while those before it are still there: figures and health of
// a server and of the one that replaces it, on one address, without a moment
// that nobody answers.
package lastport
