// Package systemd owns what the process tells the service manager that started
// it: that it serves, reloads, ends, and is alive (sd_notify(3)). Without a
// service manager all of it does nothing.
package systemd
