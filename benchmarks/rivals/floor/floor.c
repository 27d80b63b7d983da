// The floor under every server: the contract of benchmarks/contractserver with
// nothing in it but the system calls. One thread, one epoll, each message
// encoded once, one send() a receiver. It believes its clients (a frame must
// arrive whole with its like, texts are matched by their beginnings) and
// answers none that is not one of the load generator's, so it is a measure, not
// a server.
//
//	cc -O3 -o floor floor.c && ./floor 127.0.0.1:5000
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { NAME = 32, BUCKETS = 4096, EVENTS = 256, PING_MS = 25000, TICK_MS = 100 };

// A set of connections: the one of all, or a room.
struct set {
	char name[NAME];
	int *fd, n, cap;
	struct set *next;
};

struct place {
	struct set *room;
	int at; // index in room->fd
};

struct conn {
	char *rest; // bytes of an unfinished request or frame
	uint32_t nrest, up;
	int at; // index in all.fd
	int nplaces;
	struct place *places;
};

static struct conn *conns; // by descriptor
static struct set all, *rooms[BUCKETS];
static int maxfd, cursor;
static unsigned long sids, failed;
static char in[1 << 18], out[1 << 18];

// ---- SHA-1 and base64, for Sec-WebSocket-Accept (RFC 3174, RFC 4648)

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const uint8_t *p, size_t n, uint8_t digest[20]) {
	uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
	uint8_t block[128] = {0};
	size_t len = n + 9 <= 64 ? 64 : 128;
	memcpy(block, p, n); // the key and the GUID are 60 bytes
	block[n] = 0x80;
	for (int i = 0; i < 8; i++) block[len - 1 - i] = (uint8_t)((uint64_t)n * 8 >> 8 * i);
	for (size_t b = 0; b < len; b += 64) {
		uint32_t w[80];
		for (int i = 0; i < 16; i++) {
			const uint8_t *q = block + b + 4 * i;
			w[i] = (uint32_t)q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3];
		}
		for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		uint32_t v[5];
		memcpy(v, h, sizeof v);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (v[1] & v[2]) | (~v[1] & v[3]), k = 0x5A827999;
			else if (i < 40) f = v[1] ^ v[2] ^ v[3], k = 0x6ED9EBA1;
			else if (i < 60) f = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]), k = 0x8F1BBCDC;
			else f = v[1] ^ v[2] ^ v[3], k = 0xCA62C1D6;
			uint32_t t = rol(v[0], 5) + f + v[4] + k + w[i];
			v[4] = v[3], v[3] = v[2], v[2] = rol(v[1], 30), v[1] = v[0], v[0] = t;
		}
		for (int i = 0; i < 5; i++) h[i] += v[i];
	}
	for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void accept_key(const char *key, size_t n, char to[29]) {
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t text[64], d[21] = {0};
	if (n > 24) n = 24;
	memcpy(text, key, n);
	memcpy(text + n, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	sha1(text, n + 36, d);
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)d[3 * i] << 16 | d[3 * i + 1] << 8 | d[3 * i + 2];
		for (int k = 0; k < 4; k++) to[4 * i + k] = abc[v >> (18 - 6 * k) & 63];
	}
	to[27] = '=';
	to[28] = 0;
}

// ---- sending

static void put(int fd, const char *p, size_t n) {
	if (send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n) failed++;
}

// frame puts a text frame of three parts into out.
static size_t frame(const char *a, size_t an, const char *b, size_t bn, const char *c, size_t cn) {
	size_t n = an + bn + cn, h = 2;
	out[0] = (char)0x81;
	if (n < 126) out[1] = (char)n;
	else out[1] = 126, out[2] = (char)(n >> 8), out[3] = (char)n, h = 4;
	memcpy(out + h, a, an);
	memcpy(out + h + an, b, bn);
	memcpy(out + h + an + bn, c, cn);
	return h + n;
}

static void fan(const struct set *s, size_t n) {
	for (int i = 0; s && i < s->n; i++) put(s->fd[i], out, n);
}

// ---- sets

static int add(struct set *s, int fd) {
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4;
		s->fd = realloc(s->fd, sizeof *s->fd * s->cap);
	}
	s->fd[s->n] = fd;
	return s->n++;
}

static struct set *room(const char *name, size_t n, int make) {
	if (n >= NAME) return NULL;
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)name[i]) * 16777619u;
	struct set **p = &rooms[h % BUCKETS];
	for (; *p; p = &(*p)->next)
		if (!strncmp((*p)->name, name, n) && !(*p)->name[n]) return *p;
	if (!make) return NULL;
	*p = calloc(1, sizeof **p);
	memcpy((*p)->name, name, n);
	return *p;
}

static void join(int fd, struct set *r) {
	struct conn *c = &conns[fd];
	if (!r) return;
	c->places = realloc(c->places, sizeof *c->places * (c->nplaces + 1));
	c->places[c->nplaces++] = (struct place){r, add(r, fd)};
}

static void gone(int fd) {
	struct conn *c = &conns[fd];
	for (int i = 0; i < c->nplaces; i++) {
		struct set *r = c->places[i].room;
		int last = r->fd[--r->n];
		r->fd[c->places[i].at] = last;
		for (int k = 0; k < conns[last].nplaces; k++)
			if (conns[last].places[k].room == r && conns[last].places[k].at == r->n)
				conns[last].places[k].at = c->places[i].at;
	}
	if (c->up) {
		int last = all.fd[--all.n];
		all.fd[c->at] = last;
		conns[last].at = c->at;
	}
	free(c->places);
	free(c->rest);
	memset(c, 0, sizeof *c);
	close(fd);
}

// ---- the protocol

static int starts(const char *p, size_t n, const char *with) {
	return n >= strlen(with) && !memcmp(p, with, strlen(with));
}

// quoted finds the text between before and the next quote.
static const char *quoted(const char *p, size_t n, const char *before, size_t *len) {
	const char *q = memmem(p, n, before, strlen(before));
	if (!q) return NULL;
	q += strlen(before);
	const char *e = memchr(q, '"', p + n - q);
	if (!e) return NULL;
	*len = e - q;
	return q;
}

static void packet(int fd, const char *p, size_t n) {
	size_t rn, dn;
	if (n == 2 && !memcmp(p, "40", 2)) {
		char text[64];
		int k = snprintf(text, sizeof text, "40{\"sid\":\"%016lx\"}", ++sids);
		put(fd, out, frame(text, k, "", 0, "", 0));
	} else if (starts(p, n, "42[\"echo\",")) {
		put(fd, out, frame(p, n, "", 0, "", 0));
	} else if (starts(p, n, "42[\"all\",")) {
		fan(&all, frame(p, n, "", 0, "", 0));
	} else if (starts(p, n, "42[\"room\",")) {
		const char *r = quoted(p, n, "\"r\":\"", &rn), *d = quoted(p, n, "\"d\":\"", &dn);
		if (r && d) fan(room(r, rn, 0), frame("42[\"room\",\"", 11, d, dn, "\"]", 2));
	} else if (starts(p, n, "42[\"join\",")) {
		const char *r = quoted(p, n, "\"join\",\"", &rn);
		if (!r) return;
		join(fd, room(r, rn, 1));
		put(fd, out, frame("42[\"joined\",\"", 13, r, rn, "\"]", 2));
	}
}

static char *upgrade(int fd, char *p, char *end) {
	char *q = memmem(p, end - p, "\r\n\r\n", 4), *key, accept[29], text[160];
	if (!q) return p;
	*q = 0;
	key = strcasestr(p, "\r\nSec-WebSocket-Key: ");
	if (!key) return NULL;
	key += 21;
	accept_key(key, strcspn(key, "\r\n"), accept);
	int n = sprintf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
	put(fd, out, n);
	n = snprintf(text, sizeof text, "0{\"sid\":\"%016lx\",\"upgrades\":[],\"pingInterval\":%d,"
		"\"pingTimeout\":20000,\"maxPayload\":1000000}", ++sids, PING_MS);
	put(fd, out, frame(text, n, "", 0, "", 0));
	conns[fd].up = 1;
	conns[fd].at = add(&all, fd);
	return q + 4;
}

static void readable(int fd) {
	struct conn *c = &conns[fd];
	size_t have = c->nrest;
	if (have) memcpy(in, c->rest, have);
	ssize_t n = recv(fd, in + have, sizeof in - have, MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) gone(fd);
		return;
	}
	char *p = in, *end = in + have + n;
	if (!c->up && !(p = upgrade(fd, p, end))) {
		gone(fd);
		return;
	}
	while (c->up && end - p >= 6) {
		size_t len = p[1] & 127, h = 2;
		if (len == 127 || !(p[1] & 128)) {
			gone(fd);
			return;
		}
		if (len == 126) len = (uint8_t)p[2] << 8 | (uint8_t)p[3], h = 4;
		if ((size_t)(end - p) < h + 4 + len) break;
		char *key = p + h, *d = key + 4;
		for (size_t i = 0; i < len; i++) d[i] ^= key[i & 3];
		if ((p[0] & 15) == 8) {
			gone(fd);
			return;
		}
		if ((p[0] & 15) == 1) packet(fd, d, len);
		p = d + len;
	}
	c->nrest = end - p;
	if (!c->nrest) {
		free(c->rest);
		c->rest = NULL;
		return;
	}
	c->rest = realloc(c->rest, c->nrest);
	memcpy(c->rest, p, c->nrest);
}

static int listen_on(char *where) {
	char *colon = strrchr(where, ':');
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (!colon) return -1;
	*colon = 0;
	a.sin_port = htons(atoi(colon + 1));
	if (inet_pton(AF_INET, where, &a.sin_addr) != 1) return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) return -1;
	getsockname(fd, (void *)&a, &len);
	printf("listening on %s:%d\n", where, ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv) {
	struct rlimit lim;
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	maxfd = lim.rlim_max > 1 << 21 ? 1 << 21 : (int)lim.rlim_max;
	conns = calloc(maxfd, sizeof *conns); // pages that nobody uses cost nothing
	int ls = argc == 2 ? listen_on(argv[1]) : -1, one = 1;
	if (ls < 0) {
		fprintf(stderr, "floor: usage: floor HOST:PORT (%s)\n", strerror(errno));
		return 1;
	}
	int ep = epoll_create1(0), tick = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec every = {{0, TICK_MS * 1000000L}, {0, TICK_MS * 1000000L}};
	timerfd_settime(tick, 0, &every, NULL);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = ls}, evs[EVENTS];
	epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
	ev.data.fd = tick;
	epoll_ctl(ep, EPOLL_CTL_ADD, tick, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = evs[i].data.fd;
			uint64_t expired;
			if (fd == tick) {
				if (read(tick, &expired, 8) != 8) continue;
				int share = PING_MS / TICK_MS;
				for (int k = (all.n + share - 1) / share; k > 0 && all.n; k--) {
					cursor = (cursor + 1) % all.n;
					put(all.fd[cursor], "\x81\x01" "2", 3);
				}
				continue;
			}
			if (fd != ls) {
				readable(fd);
				continue;
			}
			for (int c; (c = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
				if (c >= maxfd - 8) {
					close(c);
					continue;
				}
				setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
				ev.events = EPOLLIN;
				ev.data.fd = c;
				epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
			}
		}
		if (failed) {
			fprintf(stderr, "floor: %lu sends failed or were cut short\n", failed);
			failed = 0;
		}
	}
}
