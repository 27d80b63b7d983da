# Shared by the scripts that measure from outside: sourced after lib.sh.

need_two_cores() {
	have taskset || die "$1: taskset is needed: apt-get install -y util-linux"
	[ "$(nproc)" -ge 2 ] || die "$1: two cores are needed, one for the server"
}

# build_measured: the load generator and the server under test.
build_measured() {
	CGO_ENABLED=0 go build -trimpath \
		-ldflags "-X github.com/throng-server/throng/internal/cli.version=$(version)" -o bin/ \
		./cmd/throng ./benchmarks/contractserver
}

# build_floor: the least that a server can do, in C; without a compiler the
# comparison goes on without it.
build_floor() {
	mkdir -p bin/rivals
	if have "${CC:-cc}"; then
		"${CC:-cc}" -O3 -Wall -Wextra -o bin/rivals/floor benchmarks/rivals/floor/floor.c
	else
		warn "no C compiler: the floor is left out (apt-get install -y gcc libc6-dev)"
	fi
}
