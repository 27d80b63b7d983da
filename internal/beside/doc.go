// Package beside owns what is served on the port of Socket.IO besides it: the
// pages of an application elsewhere, and files. It knows nothing of Socket.IO.
package beside
