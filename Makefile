# Every target is one script in scripts/; read it there. Plain `make` checks
# that the tools are here and says how to get the ones that are not.
.DEFAULT_GOAL := check
measurements := bench bench-polling bench-rivals bench-100k bench-1m bench-smoke bench-fleet
targets := check demo build test test-long e2e fmt lint fuzz install uninstall soak-cluster \
	$(measurements)
.PHONY: $(targets)

$(targets):
	@scripts/$@.sh
