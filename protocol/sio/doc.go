// Package sio owns the Socket.IO packet text with the default parser, protocol
// revision 5 and, for old clients, 4: reading packets, writing them byte for
// byte as JavaScript would, numbering binary attachments, and turning arguments
// into Go values. It works on the text inside an Engine.IO message: the leading
// '4' of the WebSocket frame belongs to package eio.
//
// The package holds no state, does no I/O, reads no clock and starts no
// goroutine. Every function may be called from any goroutine; an Assembler has
// one owner at a time.
//
// # Grammar
//
//	packet = type [ attachments "-" ] [ namespace "," ] [ id ] [ json ]
//
//	0{"token":"t"}                   CONNECT to "/"
//	0/chat,                          CONNECT to "/chat"
//	1/chat,                          DISCONNECT
//	2["ev",1,"a"]                    EVENT
//	217["ev"]                        EVENT that wants ack 17
//	317["ok"]                        ACK 17
//	4/chat,{"message":"no"}          CONNECT_ERROR
//	51-["ev",{"_placeholder":true,"num":0}]    BINARY_EVENT, 1 attachment
//	61-7[{"_placeholder":true,"num":0}]        BINARY_ACK
//
// # Reading
//
// [Parse] validates the whole packet, JSON included, without allocating and
// without building values: everything it returns aliases the input. That is
// what makes relaying cheap and safe; a client cannot push broken JSON at
// others. The scanner is iterative and stops at [MaxDepth], so no input can
// grow a stack. A binary packet goes through an [Assembler] until its
// attachments are there. Handlers get values through [Decode] and
// [DecodeArgs], which only then pay for them.
//
// Where the JavaScript decoder is lax by accident we are strict: type, id and
// attachment count are plain decimal digits (it reads "1e0" and "1." as 1, and
// a blank or nothing as 0), ids end at 2^53-1, JSON nests at most [MaxDepth]
// deep, and a placeholder's num is an integer.
//
// # Writing
//
// [AppendEvent] and [AppendAck] append to a caller's buffer, which may already
// hold a frame header's room and the Engine.IO type. The JSON is what
// JSON.stringify writes, not what encoding/json writes:
//
//   - No HTML escaping; U+2028, U+2029 and 0x7f stay raw; control characters
//     are \b \t \n \f \r or \u00xx in lower case.
//   - A lone surrogate, which a Go string can only hold in its WTF-8 form
//     (ED A0..BF xx), becomes its \udxxx escape; a split pair is joined; any
//     other invalid byte becomes U+FFFD.
//   - 1.0 is 1, 1e21 is 1e+21, -0 is 0, NaN and infinities are null. A float32
//     is written with the fewest digits that give the same float32. Integers
//     keep all digits; a JavaScript reader rounds them beyond 2^53.
//   - A nil pointer, map or interface is null. A nil slice is [], because that
//     is what code in a browser iterates over; a nil []byte is an empty
//     attachment. time.Time is "2026-11-20T20:43:16.000Z", in UTC with
//     milliseconds; a time outside the range of a JavaScript Date is null.
//   - Struct tags (name, omitempty, omitzero, string, "-"), embedded structs,
//     json.Marshaler and encoding.TextMarshaler work as in encoding/json; map
//     keys are sorted. A marshaler's output is validated and compacted.
//   - json.RawMessage and [Raw] are validated and stand as they are; what
//     [Receive] has set need not be.
//   - A []byte at any depth, also a named one, becomes an attachment unless
//     its type is a marshaler. Byte arrays are arrays of numbers. Numbering is
//     depth first.
//   - A func, channel, complex number or unsafe pointer is an
//     [UnsupportedTypeError] in an [ArgError]; a cycle is [ErrTooDeep].
//
// [AppendMarked] writes the same and tells where the values are that JSON
// cannot hold; package msgpack makes its messages of that.
//
// # Revision 4
//
// Clients 1.x and 2.x speak protocol revision 4, which differs in CONNECT and
// its refusal: [Parse4], [AppendQuery], [AppendConnect4], [AppendConnectError4].
//
// # Placeholders that nobody made
//
// {"_placeholder":true,"num":7} is legal data in a packet without attachments
// but kills the reader's connection in one with attachments. A client could so
// disconnect others through a server that relays its arguments beside a
// []byte; AppendEvent and AppendAck answer [ErrForgedPlaceholder] instead.
package sio
