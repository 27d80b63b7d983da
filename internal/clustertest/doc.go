// Package clustertest owns what every cluster of servers must do, whatever
// carries its entries: [Scenarios] go through the API on clusters of one, two
// and four nodes, where clients must see the same; [Check] numbers the messages
// of many publishers while faults happen, and verifies the history of every
// receiver; [Loss] makes a node disappear. The tests of this package run all of
// them over cluster/memory and cluster/valkey.
package clustertest
