package socketio

import "slices"

// Adjustable are the options that may change while a server runs; see the
// fields of the same names in Options.
type Adjustable struct {
	MaxConnections           int
	MaxConnectionsPerAddress int
	EventRate                float64
	EventBurst               int
	CORSAllowedOrigins       []string
}

// Adjust changes options while clients are connected. EventRate and EventBurst
// count from their next event on, the others for those who connect from now on:
// nobody is thrown out. All are set; zero values mean what they do in Options.
// An *OptionError names the one it refuses, and then none has changed. Any
// goroutine.
func (s *Server) Adjust(a Adjustable) error {
	o := s.opt
	o.MaxConnections, o.MaxConnectionsPerAddress = a.MaxConnections, a.MaxConnectionsPerAddress
	o.EventRate, o.EventBurst = a.EventRate, a.EventBurst
	o.CORSAllowedOrigins = slices.Clone(a.CORSAllowedOrigins)
	if err := o.validate(); err != nil {
		return err
	}
	s.net.SetMaxConns(o.MaxConnections)
	s.eng.SetOrigins(o.CORSAllowedOrigins)
	s.limit(&o)
	return nil
}

// limit puts the limits of what a client costs in force.
func (s *Server) limit(o *Options) {
	s.addresses.most.Store(int64(o.MaxConnectionsPerAddress))
	s.rate.Store(newEventRate(o.EventRate, o.EventBurst))
}
