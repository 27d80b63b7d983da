// Package config owns the settings of `throng serve`: their names, defaults and
// documentation, and how they are read from a file, the environment and flags.
//
// Everything is made from the tags of one struct, Config: the reader of the
// TOML file, the names of the environment's variables and of the flags, `throng
// config print`, the sample file and the reference page. A later source
// overrides an earlier one: defaults, file, environment, flags.
//
// The tags of a field:
//
//	key      its name in the file, below the table's
//	default  as it is written in the environment
//	doc      one or two sentences, without the default
//	unit     duration or bytes, which the type does not tell
//	reload   what SIGHUP does: live, new (for connections from then on), restart
//	flag     the flag's name, if it is not made from the key
//	range    lowest and highest value, "1,255"
//	choices  the values there are, with "|" between
//	option   the field of socketio.Options it sets
//	node, python  the names of the same thing elsewhere
//	secret   never printed; may also stand in a file, whose name is KEY_file
//
// Nothing here is for concurrent use but what says so.
package config
