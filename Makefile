# Every target is one script in scripts/; read it there. Plain `make` checks
# that the tools are here and says how to get the ones that are not.
.DEFAULT_GOAL := check
.PHONY: check demo build test test-long e2e bench bench-polling fmt lint fuzz install uninstall soak-cluster bench-fleet

check demo build test test-long e2e bench bench-polling fmt lint fuzz install uninstall soak-cluster bench-fleet:
	@scripts/$@.sh
