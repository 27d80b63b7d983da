// Package health owns the answers of /healthz and /readyz.
//
// /healthz asks whether the process works: it is for whoever restarts it. No
// broker and no load makes it fail, for a restart would help neither. /readyz
// asks whether new clients should come: it is for load balancers.
package health
