// Package msgpack owns the wire form of clients that use the parser
// socket.io-msgpack-parser: each packet is one binary message, a MessagePack
// map, without placeholders and without the packet types for binary.
//
//	{"type":2,"id":0,"data":["ev",1],"nsp":"/"}
//
// type is 0 to 4 as in package sio; id and data are absent where they are
// absent in text. The package reads and writes such messages and turns each
// form into the other, because one broadcast reaches clients of both parsers
// and handlers should not see which one a client has.
//
// It holds no state, does no I/O, reads no clock and starts no goroutine.
// Every function may be called from any goroutine.
//
// # Reading
//
// [Parse] validates the whole message without building values; it refuses what
// the JavaScript parser refuses, trailing bytes included, and what package sio
// refuses in text: reserved event names, events without a name, negative ids.
// Unknown keys of the packet are ignored (official clients send "options"),
// null for the data of CONNECT and DISCONNECT is taken as absent (clients in
// Python send it). [Limits] bound elements and attachments; containers nest at
// most sio.MaxDepth deep; a container's count is held against the bytes that
// are there. [Decode] gives the same to handlers in the form of package sio.
//
// Besides the standard types the encoders of the JavaScript parser use
// extension type 0, with three meanings:
//
//	d4 00 00                undefined
//	d7 00 (8 bytes)         Date: int64 milliseconds since 1970
//	c7, c8, c9 (length) 00  ArrayBuffer and typed arrays
//
// The last is binary like bin, which is all that we write: decoders in
// browsers know no other. Type -1, the standard's timestamp, is a date too;
// JavaScript shows it as a pair. Other extensions are pairs, as in JavaScript:
// an array of the type and the bytes.
//
// # To text
//
// [ToText] and [Decode] write what JSON.stringify writes for the values that
// JavaScript sees:
//
//   - Integers keep all digits of their 64 bits (JavaScript rounds beyond
//     2^53, in both forms). Floats are written as JavaScript prints them, a
//     float32 with the digits of its float64. 1.0 is 1, -0 is 0; NaN and the
//     infinities are null.
//   - undefined is null in an array; a member of an object that is undefined
//     is left out; CONNECT's data that is undefined is absent.
//   - A Date is its ISO string, null outside a Date's range.
//   - Binary is a placeholder and an attachment, numbered depth first; in
//     CONNECT and CONNECT_ERROR, which have no attachments, a base64 string.
//   - Keys that are integers become strings; equal keys all stay, of which
//     readers take the last; the order stays.
//   - A lone surrogate in WTF-8 form becomes its escape; other bytes that are
//     not UTF-8 become U+FFFD.
//   - A map that imitates a placeholder cannot be told from one in a packet
//     with attachments: sio.ErrForgedPlaceholder.
//
// # From text
//
// [FromText] loses nothing but lone surrogates: they become U+FFFD, since
// readers outside JavaScript end the connection over strings that are not
// UTF-8. A number is an integer if it is written as one and fits 64 bits, or if
// it is whole and at most 2^53; else a float64, infinite if the digits are too
// many. What was a Date, undefined or NaN stays what text made of it.
//
// # From Go values
//
// [AppendEvent] and its like take arguments by the rules of package sio, with
// its order of keys, struct tags and errors. What JSON lacks keeps its type
// here: []byte is bin, time.Time a Date, NaN and the infinities are floats.
// json.RawMessage and sio.Raw are turned from text.
package msgpack
