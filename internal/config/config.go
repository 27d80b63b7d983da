package config

import "time"

// Config has every setting. Default returns the defaults; the zero value is
// not useful.
type Config struct {
	Listen     string   `key:"listen" default:"127.0.0.1:5000" reload:"restart" option:"Addr" doc:"Address of the public port, host:port; an empty host means all. PORT in the environment stands for :PORT where nothing else sets it." node:"listen(port)" python:"host, port"`
	Namespaces []string `key:"namespaces" flag:"namespace" reload:"restart" doc:"Namespaces that clients may connect to, besides /." node:"of()" python:"namespaces"`
	Client     string   `key:"client" reload:"restart" doc:"The browser client below path: embedded, dir:PATH, redirect, redirect:URL or off. Empty: what is there." node:"serveClient" python:"static_files"`
	Loops      int      `key:"loops" default:"0" range:"0,255" reload:"restart" option:"Loops" doc:"Event loops; 0 means one a processor, or as many as the limit of a container allows (GOMAXPROCS)." python:"async_mode"`
	ReusePort  bool     `key:"reuse_port" default:"false" reload:"restart" option:"ReusePort" doc:"Let other processes of the same user serve the address too."`

	TrustedProxies []string `key:"trusted_proxies" reload:"restart" option:"TrustedProxies" doc:"Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed." python:"ProxyFix"`

	Upstream string `key:"upstream" reload:"restart" doc:"URL of an application that gets every request beside Socket.IO. Empty: none."`
	Static   string `key:"static" reload:"restart" doc:"Directory of files that are served beside Socket.IO; what is not there is the upstream's. Empty: none."`

	Path                 string        `key:"path" default:"/socket.io/" reload:"restart" option:"Path" doc:"Path of Engine.IO requests, compared as a prefix." node:"path" python:"path, socketio_path"`
	Transports           []string      `key:"transports" default:"polling,websocket" reload:"restart" option:"Transports" doc:"Transports that clients may use." node:"transports" python:"transports"`
	AllowUpgrades        bool          `key:"allow_upgrades" default:"true" reload:"restart" option:"DisableUpgrades" doc:"Offer polling clients the way to WebSocket." node:"allowUpgrades" python:"allow_upgrades"`
	AllowEIO3            bool          `key:"allow_eio3" default:"false" reload:"restart" option:"AllowEIO3" doc:"Let clients 1.x and 2.x in." node:"allowEIO3"`
	PingInterval         time.Duration `key:"ping_interval" default:"25s" range:"0.1,86400" reload:"restart" option:"PingInterval" doc:"Time between two heartbeats of a connection. From 20s on they come up to 0.4 s later, those of many together." node:"pingInterval" python:"ping_interval"`
	PingTimeout          time.Duration `key:"ping_timeout" default:"20s" range:"0.1,86400" reload:"restart" option:"PingTimeout" doc:"How long a client may take to answer one." node:"pingTimeout" python:"ping_timeout"`
	ConnectTimeout       time.Duration `key:"connect_timeout" default:"45s" range:"0.1,86400" reload:"restart" option:"ConnectTimeout" doc:"A connection that has joined no namespace by then is closed." node:"connectTimeout"`
	UpgradeTimeout       time.Duration `key:"upgrade_timeout" default:"10s" range:"0.1,86400" reload:"restart" option:"UpgradeTimeout" doc:"How long the way to WebSocket may take; the client stays on polling afterwards." node:"upgradeTimeout"`
	MaxHTTPBufferSize    int           `key:"max_http_buffer_size" unit:"bytes" default:"1000000" range:"1,1073741824" reload:"restart" option:"MaxPayload" doc:"Largest message of a client." node:"maxHttpBufferSize" python:"max_http_buffer_size"`
	HTTPCompression      bool          `key:"http_compression" default:"true" reload:"restart" option:"HTTPCompression" doc:"Compress answers to polls for clients that accept it." node:"httpCompression" python:"http_compression"`
	CompressionThreshold int           `key:"compression_threshold" unit:"bytes" default:"1024" range:"1,1073741824" reload:"restart" option:"HTTPCompression" doc:"Answers from this size on are compressed." node:"httpCompression.threshold" python:"compression_threshold"`
	Cookie               string        `key:"cookie" reload:"restart" option:"Cookie" doc:"Name of a cookie with the connection's id, for proxies that choose a server by it. Empty: none is set." node:"cookie" python:"cookie"`
	CleanupNamespaces    bool          `key:"cleanup_empty_child_namespaces" default:"false" reload:"restart" option:"CleanupEmptyChildNamespaces" doc:"Remove a dynamic namespace with its last socket." node:"cleanupEmptyChildNamespaces"`

	App      App      `key:"app" doc:"The application that handles what clients do; docs/app.md."`
	CORS     CORS     `key:"cors" doc:"Which pages of other origins may connect."`
	Limits   Limits   `key:"limits" doc:"What clients may cost. Each refusal is counted and named in the log."`
	Recovery Recovery `key:"recovery" doc:"Clients that come back to their sessions after a lost connection."`
	Drain    Drain    `key:"drain" doc:"The end of a server whose clients go to others."`
	Cluster  Cluster  `key:"cluster" doc:"Several servers that act as one."`
	Queues   Queues   `key:"queues" doc:"What other processes emit through. Whoever can publish there speaks for the server."`
	Internal Internal `key:"internal" doc:"The internal port: metrics, health, profiles and the HTTP API. Keep it from the public."`
	API      API      `key:"api" doc:"The HTTP API on the internal port."`
	Ready    Ready    `key:"ready" doc:"When /readyz says yes."`
	Metrics  Metrics  `key:"metrics" doc:"What /metrics shows."`
	Log      Log      `key:"log" doc:"What is written to standard error."`
}

// App is the table app.
type App struct {
	URL         []string      `key:"url" one:"yes" reload:"restart" doc:"Endpoint that gets what clients do, URL, or NAMESPACE=URL for one namespace; {event} in it stands for the name of the event. Empty: events are counted and answered with an error."`
	Stream      []string      `key:"stream" one:"yes" reload:"restart" doc:"Valkey stream whose workers get what clients do, instead of app.url: NAME, or NAMESPACE=NAME for one namespace. Empty: none."`
	Valkey      string        `key:"valkey" secret:"url" reload:"restart" doc:"URL of the Valkey or Redis server with those streams. Empty: that of cluster.valkey."`
	StreamIdle  time.Duration `key:"stream_idle" default:"30s" range:"0.1,86400" reload:"restart" doc:"How long a worker may have a call of a stream in hand; then another worker gets it, too."`
	StreamTries int           `key:"stream_attempts" default:"5" range:"1,1000" reload:"restart" doc:"How many workers get a call that none of them answers; then it is kept in the stream NAME:dead."`
	StreamMax   int           `key:"stream_max" default:"10000" range:"1,1073741824" reload:"restart" doc:"Calls in a stream, waiting and in hand; what is more is refused as busy."`
	Secret      string        `key:"secret" secret:"text" reload:"restart" doc:"Key of the signatures of requests to it, or of calls in a stream, at least 16 bytes. Empty: they are not signed."`
	Headers     []string      `key:"headers" flag:"app-header" reload:"restart" doc:"Headers of a client's handshake that it gets, such as Cookie."`
	Timeout     time.Duration `key:"timeout" default:"10s" range:"0.1,3600" reload:"restart" doc:"How long a request to it may take, and before that the wait for its turn; with a stream, the wait for the answer."`
	MaxRequests int           `key:"max_requests" default:"64" range:"1,65536" reload:"restart" doc:"Requests to one endpoint at the same time."`
	Retry       bool          `key:"retry" default:"false" reload:"restart" doc:"Repeat requests whose connection broke: the endpoint handles each Throng-Id once."`
	H2C         bool          `key:"h2c" default:"false" reload:"restart" doc:"Speak HTTP/2 to http URLs."`
}

// CORS is the table cors.
type CORS struct {
	AllowedOrigins []string      `key:"allowed_origins" reload:"new" option:"CORSAllowedOrigins" doc:"Origins that browsers may connect from, scheme://host[:port], or * for any. Empty: the same host and port." node:"cors.origin" python:"cors_allowed_origins"`
	Credentials    bool          `key:"credentials" default:"false" reload:"restart" option:"CORSCredentials" doc:"Let browsers send cookies to those origins." node:"cors.credentials" python:"cors_credentials"`
	Methods        []string      `key:"methods" reload:"restart" option:"CORSMethods" doc:"Methods that a preflight allows. Empty: GET, HEAD, PUT, PATCH, POST, DELETE." node:"cors.methods"`
	AllowedHeaders []string      `key:"allowed_headers" reload:"restart" option:"CORSAllowedHeaders" doc:"Request headers that a preflight allows. Empty: whatever it asks for." node:"cors.allowedHeaders"`
	ExposedHeaders []string      `key:"exposed_headers" reload:"restart" option:"CORSExposedHeaders" doc:"Response headers that pages may read." node:"cors.exposedHeaders"`
	MaxAge         time.Duration `key:"max_age" default:"0s" range:"0,31536000" reload:"restart" option:"CORSMaxAge" doc:"How long browsers may keep the answer to a preflight; 0s leaves it to them." node:"cors.maxAge"`
}

// Limits is the table limits.
type Limits struct {
	Connections       int     `key:"connections" default:"0" range:"0,16777216" reload:"new" option:"MaxConnections" doc:"Open connections; 0 means as many as the limit of open files allows." python:"worker_connections"`
	PerAddress        int     `key:"connections_per_address" default:"0" range:"0,16777216" reload:"new" option:"MaxConnectionsPerAddress" doc:"Sessions of one client address, or of one /64 network of IPv6; 0 is no limit. Behind trusted_proxies it is the address that they tell."`
	EventRate         float64 `key:"events_per_second" default:"0" range:"0,1000000" reload:"live" option:"EventRate" doc:"Events a socket may send a second, on average; 0 is no limit. Those above are dropped, and answered with an error if the client waits for an answer."`
	EventBurst        int     `key:"events_burst" default:"0" range:"0,1000000" reload:"live" option:"EventBurst" doc:"Events it may send at once; 0 means those of one second."`
	Attachments       int     `key:"attachments" default:"10" range:"1,65536" reload:"restart" option:"MaxAttachments" doc:"Binary values in one packet."`
	Namespaces        int     `key:"namespaces" default:"64" range:"1,65536" reload:"restart" option:"MaxNamespaces" doc:"Namespaces of one connection."`
	DynamicNamespaces int     `key:"dynamic_namespaces" default:"10000" range:"1,16777216" reload:"restart" option:"MaxDynamicNamespaces" doc:"Dynamic namespaces that clients have brought into being."`
	Rooms             int     `key:"rooms" default:"1000" range:"-1,2147483647" reload:"restart" option:"MaxRooms" doc:"Rooms of one socket; -1 is no limit."`
	MailboxEvents     int     `key:"mailbox_events" default:"16384" range:"1,2147483647" reload:"restart" option:"MailboxEvents" doc:"Events of one connection that wait for handlers; with one more it is closed."`
	MailboxBytes      int     `key:"mailbox_bytes" unit:"bytes" default:"1MiB" range:"1,1073741823" reload:"restart" option:"MailboxBytes" doc:"The same in bytes."`
	MailboxTotal      int     `key:"mailbox_total" unit:"bytes" default:"512MiB" range:"1,1099511627776" reload:"restart" option:"MailboxTotal" doc:"What waits for handlers in the whole process."`
	PendingBytes      int     `key:"pending_bytes" unit:"bytes" default:"1MiB" range:"1,2147483647" reload:"restart" option:"MaxPendingBytes" doc:"What waits for one client to read; with more it is closed as a slow consumer. One message larger than that passes while nothing else waits."`
	PendingFrames     int     `key:"pending_frames" default:"4096" range:"1,1073741824" reload:"restart" option:"MaxPendingFrames" doc:"The same in messages."`
	Workers           int     `key:"workers" default:"10000" range:"1,1048576" reload:"restart" option:"MaxWorkers" doc:"Handlers that run at the same time." python:"max_workers"`
}

// Recovery is the table recovery.
type Recovery struct {
	Duration        time.Duration `key:"duration" default:"0s" range:"0,86400" reload:"restart" option:"ConnectionStateRecovery.MaxDisconnectionDuration" doc:"How long a lost client may come back to its session and the events it missed; 0s is never." node:"connectionStateRecovery.maxDisconnectionDuration"`
	SkipMiddlewares bool          `key:"skip_middlewares" default:"true" reload:"restart" option:"ConnectionStateRecovery.RunMiddlewares" doc:"Do not run the middleware again for those who come back." node:"connectionStateRecovery.skipMiddlewares"`
}

// Drain is the table drain.
type Drain struct {
	Duration time.Duration `key:"duration" flag:"drain-time" default:"8s" range:"0,86400" reload:"restart" doc:"Over how long TERM sends the clients away to the other servers of the cluster; 0s is at once. A server alone does not wait."`
}

// Cluster is the table cluster.
type Cluster struct {
	Valkey    string `key:"valkey" flag:"valkey" secret:"url" reload:"restart" doc:"URL of the Valkey or Redis server that joins several servers to one: valkey:// or valkeys://. Empty: a server alone." node:"adapter" python:"client_manager"`
	NodeID    string `key:"node_id" flag:"node-id" reload:"restart" doc:"Name of this server among them, unique. Empty: made of the host's name and the process."`
	Advertise string `key:"advertise" flag:"advertise" reload:"restart" doc:"Address where the others reach this server, host:port. Empty: the address of the public port if others can use it as it stands, else nowhere."`
}

// Queues is the table queues.
type Queues struct {
	Flask         string   `key:"flask" flag:"flask-queue" secret:"url" reload:"restart" doc:"Redis or Valkey URL where Flask-SocketIO and python-socketio publish emits. Empty: off." python:"message_queue"`
	FlaskChannels []string `key:"flask_channels" flag:"flask-channel" reload:"restart" doc:"Channels there. Empty: flask-socketio and socketio." python:"channel"`
	Node          string   `key:"node" flag:"node-emitter" secret:"url" reload:"restart" doc:"Redis or Valkey URL where Node's @socket.io/redis-emitter publishes emits. Empty: off." node:"@socket.io/redis-emitter"`
	NodeKey       string   `key:"node_key" flag:"node-emitter-key" default:"socket.io" reload:"restart" doc:"The emitter's option key." node:"key"`
}

// Internal is the table internal.
type Internal struct {
	Listen string `key:"listen" default:"127.0.0.1:5001" reload:"restart" doc:"Address of the internal port, host:port, or off. A default that is taken is a warning, an address that is set an error."`
	Pprof  bool   `key:"pprof" default:"true" reload:"live" doc:"Serve profiles below /debug/pprof/."`
}

// API is the table api.
type API struct {
	Keys    []string      `key:"keys" secret:"list" reload:"live" doc:"Bearer keys, each KEY or NAME:KEY with at least 16 characters of key, or sha256:HEX for KEY, which is all that is kept of it; the name stands in the log. In a file one a line. Without keys the API refuses everything."`
	MaxBody int           `key:"max_body" unit:"bytes" default:"1MiB" range:"1,1073741824" reload:"live" doc:"Largest body of a request."`
	Timeout time.Duration `key:"timeout" default:"30s" range:"0.1,3600" reload:"live" doc:"How long a request may take, waiting for acknowledgements included."`
	Rate    float64       `key:"requests_per_second" default:"0" range:"0,1000000" reload:"live" doc:"Requests of one key a second, with a burst of as many; 0 is no limit."`
}

// Ready is the table ready.
type Ready struct {
	RequireBroker bool `key:"require_broker" default:"false" reload:"live" doc:"Say no while a broker is away. By default that only makes the answer degraded: all servers lose it at the same time."`
}

// Metrics is the table metrics.
type Metrics struct {
	Events        []string `key:"events" reload:"restart" option:"EventNames" doc:"Events that are counted by their names, at most 256. The others are \"other\" together, because clients can invent names."`
	SocketIONames bool     `key:"socket_io_names" default:"false" reload:"live" doc:"Also export the names of npm's socket.io-prometheus, so that existing boards go on."`
}

// Log is the table log.
type Log struct {
	Level  string `key:"level" default:"info" choices:"debug|info|warn|error" reload:"live" doc:"Lowest level that is written." python:"logger, engineio_logger"`
	Format string `key:"format" default:"auto" choices:"auto|text|json" reload:"restart" doc:"auto is text on a terminal, JSON elsewhere."`
	Debug  string `key:"debug" reload:"live" doc:"Modules whose debug lines are written whatever the level, with commas between: * (all), throng:* (all), socketio, engine, netpoll, cluster, cli, httpapi; -NAME leaves one out. DEBUG in the environment stands for it where nothing else sets it." node:"DEBUG"`
}
