package socketio

import "time"

// Defaults and fixed limits. A refusal names the option that moves the limit.
const (
	// defaultPath is where official clients look.
	defaultPath = "/socket.io/"

	// Heartbeat as in the reference server.
	defaultPingInterval = 25 * time.Second
	defaultPingTimeout  = 20 * time.Second

	// defaultConnectTimeout closes a connection that joined no namespace.
	defaultConnectTimeout = 45 * time.Second

	// defaultUpgradeTimeout and defaultCompression are the reference server's.
	defaultUpgradeTimeout = 10 * time.Second
	defaultCompression    = 1024

	// defaultMaxPayload is the reference server's maxHttpBufferSize.
	defaultMaxPayload = 1_000_000

	// defaultMaxAttachments: official parsers refuse more in one packet.
	defaultMaxAttachments = 10

	// attachmentTime is how long the rest of a half-received packet may take.
	attachmentTime = 30 * time.Second

	// defaultMaxNamespaces a connection may be in at once: each costs a
	// socket.
	defaultMaxNamespaces = 64

	// defaultMaxDynamicNamespaces that clients may bring into being by naming
	// them: each costs about a kilobyte for good.
	defaultMaxDynamicNamespaces = 10_000

	// maxDynamicName is the longest name of such a namespace.
	maxDynamicName = 256

	// defaultMaxRooms one socket may be in.
	defaultMaxRooms = 1_000

	// maxRoomEvents bounds what waits for the room hooks of one namespace.
	maxRoomEvents = 1 << 18

	// maxServerEvents bounds what waits for the OnServerSide handlers of one
	// namespace.
	maxServerEvents = 10_000

	// maxRefusalNotes bounds what waits for the OnConnectionError hooks; each
	// has a copy of a request head.
	maxRefusalNotes = 1_024

	// defaultCallTimeout ends a Call without any bound, as in Flask-SocketIO.
	defaultCallTimeout = 60 * time.Second

	// Mailbox budget of one connection: what its handlers have not run yet.
	// An official client may send some thousand events in one tick.
	defaultMailboxEvents = 16_384
	defaultMailboxBytes  = 1 << 20

	// defaultMailboxTotal bounds the mailboxes of all connections together.
	defaultMailboxTotal = 512 << 20

	// Pending output of one connection: beyond it is a slow consumer.
	defaultMaxPendingBytes  = 1 << 20
	defaultMaxPendingFrames = 4_096

	// defaultMaxWorkers bounds handlers that block at the same time.
	defaultMaxWorkers = 10_000

	// defaultAllowTimeout bounds Options.AllowRequest.
	defaultAllowTimeout = 10 * time.Second

	// walkSlice is how many members a selection operation treats in one turn
	// of a loop, so that reads get in between.
	walkSlice = 512

	// spentEvery is how many deliveries go between two looks at the budget.
	spentEvery = 64

	// mergeBytes bounds the broadcasts that are delivered as one message: what
	// a loop writes to a connection at once.
	mergeBytes = 64 << 10

	// eventRoom is the payload that fits into the event's own allocation.
	eventRoom = 112

	// emitRoom is the frame that fits into the emission's own allocation.
	emitRoom = 128
	// fanoutRoom is that of a broadcast.
	fanoutRoom = 120
)
