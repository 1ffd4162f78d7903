package load_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/cmd/linelab/load"
)

func TestArgumentsAreReadAndMistakesAreToldInWords(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "users")
	if err := os.WriteFile(file, []byte("# the office\n201:a:b,c\n\n 202:d \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"-server", "127.0.0.1:5060", "-users", "201:a,202:b", "-call", "202"}
	with := func(more ...string) []string { return append(slices.Clone(good), more...) }
	tests := map[string]struct {
		args []string
		want string // of the error; empty: none
	}{
		"what is needed":                   {good, ""},
		"everything":                       {with("-calls", "5", "-rate", "30/m", "-for", "2m", "-codec", "G722", "-transport", "tcp", "-bind", "127.0.0.1,127.0.0.2", "-json", "-max-lost", "0.5%", "-max-failed", "3", "-max-delay", "20ms", "-register=false"), ""},
		"a host without a port":            {[]string{"-server", "pbx.example", "-users", "1:a", "-call", "2"}, ""},
		"users of a file":                  {[]string{"-server", "h", "-users-file", file, "-call", "pairs"}, ""},
		"no server":                        {[]string{"-users", "1:a", "-call", "2"}, "-server is missing"},
		"a server with a port of letters":  {[]string{"-server", "h:sip", "-users", "1:a", "-call", "2"}, `-server "h:sip"`},
		"a server with port 0":             {[]string{"-server", "h:0", "-users", "1:a", "-call", "2"}, `-server "h:0"`},
		"no users":                         {[]string{"-server", "h", "-call", "2"}, "-users or -users-file is missing"},
		"users twice over":                 {with("-users-file", file), "one of them"},
		"a file that is not there":         {[]string{"-server", "h", "-users-file", filepath.Join(dir, "none"), "-call", "2"}, "-users-file: "},
		"a file without users":             {[]string{"-server", "h", "-users-file", empty, "-call", "2"}, "names no user"},
		"a user twice":                     {[]string{"-server", "h", "-users", "1:a,1:b", "-call", "2"}, "user 1 is there twice"},
		"a user of odd letters":            {[]string{"-server", "h", "-users", "a b:c", "-call", "2"}, `"a b" is no user name`},
		"a user that would end its header": {[]string{"-server", "h", "-users", "a>\r\nX: y:c", "-call", "2"}, "is no user name"},
		"no number":                        {[]string{"-server", "h", "-users", "1:a"}, "-call is missing"},
		"a number of odd letters":          {[]string{"-server", "h", "-users", "1:a", "-call", "2@x"}, `"2@x" is no number`},
		"pairs of one":                     {[]string{"-server", "h", "-users", "1:a", "-call", "pairs"}, "at least two users"},
		"no calls":                         {with("-calls", "0"), "-calls 0"},
		"a rate of nothing":                {with("-rate", "0/s"), `-rate "0/s"`},
		"a rate that is no number":         {with("-rate", "NaN"), `-rate "NaN"`},
		"a rate per hour":                  {with("-rate", "5/h"), `-rate "5/h"`},
		"calls without length":             {with("-for", "0s"), "-for 0s"},
		"a codec that there is not":        {with("-codec", "opus"), `-codec "opus"`},
		"a transport that there is not":    {with("-transport", "tls"), `-transport "tls"`},
		"a bind that is everything":        {with("-bind", "0.0.0.0"), `-bind "0.0.0.0"`},
		"a bind of IPv6":                   {with("-bind", "::1"), `-bind "::1"`},
		"a process that there is not":      {with("-pid", "1073741824"), "no such process"},
		"a bar that is no number":          {with("-max-lost", "some"), "a number such as 5"},
		"a share of more than all":         {with("-max-lost", "101%"), "a number such as 5"},
		"half a call":                      {with("-max-failed", "0.5"), "a number such as 5"},
		"a word too many":                  {with("now"), `"now" belongs to no flag`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load.Parse(tt.args, io.Discard)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v; want %q", err, tt.want)
			}
		})
	}
	cfg, err := load.Parse([]string{"-server", "pbx.example", "-users-file", file, "-call", "7, 8", "-rate", "30/m", "-max-lost", "0.5%", "-for", "90s"}, io.Discard)
	if err != nil || cfg.Server != "pbx.example:5060" || !slices.Equal(cfg.Users, []load.User{{Name: "201", Password: "a:b,c"}, {Name: "202", Password: "d"}}) ||
		!slices.Equal(cfg.Numbers, []string{"7", "8"}) || cfg.Rate != 0.5 || cfg.For != 90*time.Second || cfg.MaxLost != (load.Bar{Set: true, Share: true, Value: 0.005}) || !cfg.Register {
		t.Errorf("read %+v, %v", cfg, err)
	}
}

// Whatever is typed is read or refused, and what is read can be put into SIP.
func FuzzArguments(f *testing.F) {
	f.Add("h:5060", "1:a,2:b", "pairs", "1/s", "0.1%")
	f.Add("[::1]:1", "a:\r\n", "2", "30/m", "5")
	f.Fuzz(func(t *testing.T, server, users, call, rate, bar string) {
		cfg, err := load.Parse([]string{"-server", server, "-users", users, "-call", call, "-rate", rate, "-max-lost", bar}, io.Discard)
		if err != nil {
			return
		}
		for _, u := range cfg.Users {
			if strings.ContainsAny(u.Name+u.Password, "\r\n") || strings.ContainsAny(u.Name, "@<>\" ;,?") {
				t.Errorf("user %+v", u)
			}
		}
		for _, n := range cfg.Numbers {
			if strings.ContainsAny(n, "\r\n@<>\" ;,?") {
				t.Errorf("number %q", n)
			}
		}
		if !(cfg.Rate > 0 && cfg.Rate <= 10_000) {
			t.Errorf("rate %v", cfg.Rate)
		}
	})
}
