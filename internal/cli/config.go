package cli

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/throng-server/throng/internal/clientjs"
	"github.com/throng-server/throng/internal/config"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and print the settings of serve",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := c.Help(); err != nil {
				return err
			}
			return errors.New("name a command of config")
		},
	}
	check := &cobra.Command{
		Use: "check", Short: "Tell what is wrong with the settings; exit code 78 if anything is",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := load(c.Flags())
			if err != nil {
				return err
			}
			name := l.File
			if name == "" {
				name = "no file: the defaults"
			}
			fmt.Fprintln(c.OutOrStdout(), "ok:", name)
			for _, w := range l.Warnings {
				fmt.Fprintln(c.OutOrStdout(), "warning:", w)
			}
			return nil
		},
	}
	printed := &cobra.Command{
		Use: "print", Short: "Print every setting and where it comes from, without secrets",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := load(c.Flags())
			if err != nil {
				return err
			}
			return l.Print(c.OutOrStdout())
		},
	}
	reference := &cobra.Command{
		Use: "reference", Short: "Print the page of all settings as Markdown", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return config.Reference(c.OutOrStdout()) },
	}
	sample := &cobra.Command{
		Use: "sample", Short: "Print a file with all defaults, commented out", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return config.Sample(c.OutOrStdout()) },
	}
	configFlags(check.Flags())
	configFlags(printed.Flags())
	c.AddCommand(check, printed, reference, sample)
	return c
}

// configFlags adds --config and one flag a setting.
func configFlags(f *pflag.FlagSet) {
	f.String("config", "", "file with settings (default the first there is of "+
		"./throng.toml, ~/.config/throng/throng.toml, /etc/throng/throng.toml)")
	for _, s := range config.Fields() {
		// In backquotes pflag would look for the name of the value.
		doc := strings.ReplaceAll(s.Doc, "`", "")
		if s.Default != "" {
			doc += " (default " + s.Default + ")"
		}
		if s.Type() == "list" {
			f.StringArray(s.Flag, nil, doc+" Repeatable, or with commas.")
			continue
		}
		v := &flagValue{kind: s.Type()}
		f.Var(v, s.Flag, doc)
		if s.Type() == reflect.Bool.String() {
			f.Lookup(s.Flag).NoOptDefVal = "true"
		}
	}
}

// flagValue is the text behind a flag, which package config reads.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string     { return v.text }
func (v *flagValue) Set(s string) error { v.text = s; return nil }
func (v *flagValue) Type() string       { return v.kind }

// sources are where settings come from in this process.
func sources(f *pflag.FlagSet) config.Sources {
	s := config.Sources{Env: os.Environ(), Flags: make(map[string]string)}
	f.Visit(func(g *pflag.Flag) {
		switch v := g.Value.(type) {
		case *flagValue:
			s.Flags[g.Name] = v.text
		case pflag.SliceValue:
			s.Flags[g.Name] = strings.Join(v.GetSlice(), ",")
		default:
			if g.Name == "config" {
				s.File = v.String()
			}
		}
	})
	return s
}

// load reads the settings and checks what package config does not know.
func load(f *pflag.FlagSet) (*config.Loaded, error) { return loadFrom(sources(f)) }

func loadFrom(s config.Sources) (*config.Loaded, error) {
	l, err := config.Load(s)
	if bad := (*config.Error)(nil); errors.As(err, &bad) {
		if bad.OnlyFlags() {
			return nil, err
		}
		return nil, &codeError{exitConfig, err}
	}
	for _, c := range []struct {
		key   string
		check func() error
	}{
		{"client", func() error { _, err := clientjs.Open(l.Client); return err }},
		{"path", func() error { return checkPath(l.Path) }},
		{"app.url", func() error { _, _, err := endpoints(l.App.URL); return err }},
		{"app.stream", func() error { return checkStreams(&l.Config) }},
		{"app.valkey", func() error { return optionalURL(l.App.Valkey) }},
		{"app.secret", func() error { return checkSecret(l.App.Secret) }},
		{"upstream", func() error { return checkBeside(l.Upstream, "") }},
		{"static", func() error { return checkBeside("", l.Static) }},
		{"cluster.valkey", func() error { return optionalURL(l.Cluster.Valkey) }},
		{"queues.flask", func() error { return optionalURL(l.Queues.Flask) }},
		{"queues.node", func() error { return optionalURL(l.Queues.Node) }},
	} {
		if err := c.check(); err != nil {
			p := l.Origins[c.key].Problem(c.key, err.Error())
			if p.Flag {
				return nil, errors.New(p.String())
			}
			return nil, &codeError{exitConfig, errors.New(p.String())}
		}
	}
	return l, nil
}

// checkPath refuses paths below which the public port has pages of its own.
func checkPath(path string) error {
	for _, own := range []string{"/healthz", "/readyz"} {
		if strings.TrimSuffix(path, "/") == own {
			return fmt.Errorf("%s is where the server tells how it is", own)
		}
	}
	return nil
}
