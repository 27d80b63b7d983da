// Package clustertest owns what every cluster of servers must do, whatever
// carries its entries: [Scenarios] go through the API on clusters of one, two
// and four nodes, where clients must see the same; [Check] numbers the messages
// of many publishers while faults happen, and verifies the history of every
// receiver. The tests of this package run both over cluster/memory.
package clustertest
