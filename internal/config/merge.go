package config

import "reflect"

// Changes are the settings that differ, by what SIGHUP does with them.
type Changes struct{ Applied, Restart []string }

// Merge returns what is in force when next has been read while l was: the
// settings that take a restart stay as they are.
func (l *Loaded) Merge(next *Loaded) (*Loaded, Changes) {
	var c Changes
	merged := &Loaded{Config: l.Config, File: next.File, Origins: make(map[string]Origin),
		Warnings: next.Warnings}
	for _, f := range fields {
		from := next
		if f.Reload == Restart {
			from = l
		}
		merged.Origins[f.Key] = from.Origins[f.Key]
		if f.FileOf != nil {
			continue
		}
		old, new := f.Get(&l.Config), f.Get(&next.Config)
		switch {
		case reflect.DeepEqual(old, new):
		case f.Reload == Restart:
			c.Restart = append(c.Restart, f.Key)
		default:
			f.of(&merged.Config).Set(reflect.ValueOf(new))
			c.Applied = append(c.Applied, f.Key)
		}
	}
	return merged, c
}
