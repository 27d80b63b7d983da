// Package archtest owns no code, only tests of the source tree itself: who may
// import whom, that packages are documented, that files stay short and that
// the contract server stays free of tuning.
package archtest
