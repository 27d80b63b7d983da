// Package cli owns the command line of the binary: the commands, the signals,
// the line printed at boot and the exit codes.
//
//	0   ended as asked
//	1   could not do it: the address is taken, a limit is too low
//	2   wrong use of the command line
//	3   a bench went beyond one of its thresholds
//	70  the event loops ended without being asked to
//	78  wrong configuration: a file or a variable, or another server of the
//	    cluster has the node id
package cli
