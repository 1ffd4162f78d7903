package load

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// User is a telephone of the server.
type User struct{ Name, Password string }

// Bar is a bound on a count: a number, or a share of all.
type Bar struct {
	Set   bool
	Share bool
	Value float64 // of a share: of 1
}

// kept reports whether n of all is within the bar.
func (b Bar) kept(n, all int) bool {
	if b.Share {
		return float64(n) <= b.Value*float64(all)
	}
	return float64(n) <= b.Value
}

func (b Bar) String() string {
	if b.Share {
		return fmt.Sprintf("%g %%", b.Value*100)
	}
	return fmt.Sprintf("%g", b.Value)
}

// Config is what is asked of a run.
type Config struct {
	Server    string // host:port as given
	Users     []User
	Numbers   []string // dialled in turn; none: the first half of the users call each its partner in the second
	Calls     int      // in all
	Rate      float64  // calls that begin in a second
	For       time.Duration
	Codec     useragent.Codec
	Pid       int // of the server's process, 0: not measured
	Transport string
	Bind      []netip.Addr // the users' addresses in turn; none: what the routes say
	Register  bool
	JSON      bool

	MaxLost   Bar           // of the packets
	MaxFailed Bar           // of the calls
	MaxDelay  time.Duration // p99 of the worse way; 0: no bar
}

const words = `linelab load [flags]: calls through any SIP server, with audio, and says what became of them

  linelab load -server 192.168.1.10:5060 -users 201:secret,202:secret -call 202 -calls 20 -rate 2/s -for 30s
  linelab load -server pbx.example:5060 -users-file users -call pairs -calls 100 -rate 10/s -for 1m -max-lost 0.1% -max-delay 20ms

Of the users those call whose names are not dialled; users answer what reaches them at once. With more calls at once
than users each has several, which a server may refuse as busy. Each RTP packet says when it left, in the signs of its
samples: a server that turns PCMA into PCMU or back is measured too, one that decodes otherwise is said not to be.
IPv4, SIP without encryption, RTP without encryption. Over TCP a user keeps one connection and listens on no other.
Exit code 0: bars kept; 1: a bar not kept, no call answered, or stopped before the end; 2: wrong arguments.

`

// maxSize is how long a file of users may be.
const maxSize = 4 << 20

// Parse reads the arguments after "linelab load".
func Parse(args []string, errs io.Writer) (Config, error) {
	c := Config{}
	flags := flag.NewFlagSet("linelab load", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, words); flags.PrintDefaults() }
	flags.StringVar(&c.Server, "server", "", "host:port of the server; the port may be left out when it is 5060")
	users := flags.String("users", "", "name:password,name:password,... of the telephones")
	file := flags.String("users-file", "", "file with one name:password per line; # begins a comment")
	call := flags.String("call", "", `numbers to dial in turn, with commas between them, or "pairs": each user of the first half calls its partner in the second`)
	flags.IntVar(&c.Calls, "calls", 10, "calls in all")
	rate := flags.String("rate", "1/s", "calls that begin per second (10/s) or minute (30/m)")
	flags.DurationVar(&c.For, "for", 10*time.Second, "how long each call lasts once answered")
	codec := flags.String("codec", "pcma", "pcma, pcmu or g722")
	flags.IntVar(&c.Pid, "pid", 0, "process of the server on this machine, whose processor time and memory are read")
	flags.StringVar(&c.Transport, "transport", useragent.UDP, "udp or tcp")
	bind := flags.String("bind", "", "address of this machine to call from, or several with commas between them, which the users have in turn")
	flags.BoolVar(&c.Register, "register", true, "register the users first; false for a server that knows them by their address")
	flags.BoolVar(&c.JSON, "json", false, "print the report as JSON")
	flags.Func("max-lost", "bar: lost packets, as a number or a share such as 0.1%", c.MaxLost.parse)
	flags.Func("max-failed", "bar: calls that were not answered or not ended in order, as a number or a share", c.MaxFailed.parse)
	flags.DurationVar(&c.MaxDelay, "max-delay", 0, "bar: delay that the server adds, p99 of the worse way")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q belongs to no flag", flags.Arg(0))
	}
	var err error
	if c.Users, err = readUsers(*users, *file); err != nil {
		return c, err
	}
	if c.Rate, err = parseRate(*rate); err != nil {
		return c, err
	}
	var known bool
	if c.Codec, known = useragent.CodecNamed(*codec); !known {
		return c, fmt.Errorf("-codec %q: pcma, pcmu or g722", *codec)
	}
	if err := c.parseNumbers(*call); err != nil {
		return c, err
	}
	if err := c.parseBind(*bind); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *Config) check() error {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil && c.Server != "" && !strings.Contains(c.Server, ":") {
		c.Server, host, port, err = net.JoinHostPort(c.Server, "5060"), c.Server, "5060", nil
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case c.Server == "":
		return errors.New("-server is missing: host:port of the SIP server")
	case err != nil || host == "" || portErr != nil || n == 0:
		return fmt.Errorf("-server %q: a host and a port are wanted, such as 192.168.1.10:5060", c.Server)
	case c.Calls < 1 || c.Calls > 1_000_000:
		return fmt.Errorf("-calls %d: 1 to 1,000,000", c.Calls)
	case c.For < 100*time.Millisecond || c.For > 24*time.Hour:
		return fmt.Errorf("-for %v: 100ms to 24h", c.For)
	case c.Transport != useragent.UDP && c.Transport != useragent.TCP:
		return fmt.Errorf("-transport %q: udp or tcp", c.Transport)
	case c.Pid < 0 || c.MaxDelay < 0:
		return errors.New("-pid and -max-delay are not negative")
	}
	if c.Pid > 0 {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/stat", c.Pid)); err != nil {
			return fmt.Errorf("-pid %d: no such process on this machine", c.Pid)
		}
	}
	return nil
}

// parse reads a number or a share.
func (b *Bar) parse(text string) error {
	number, share := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(v) || v < 0 || share && v > 100 || !share && v != math.Trunc(v) {
		return errors.New("a number such as 5, or a share such as 0.1%, is wanted")
	}
	if share {
		v /= 100
	}
	*b = Bar{Set: true, Share: share, Value: v}
	return nil
}

// parseRate reads 10/s, 600/m or 10 as calls per second.
func parseRate(text string) (float64, error) {
	number, unit, _ := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(number, 64)
	switch unit {
	case "", "s":
	case "m", "min":
		v /= 60
	default:
		err = errors.New("the unit is s or m")
	}
	if err != nil || math.IsNaN(v) || v <= 0 || v > 10_000 {
		return 0, fmt.Errorf("-rate %q: more than 0 and at most 10000/s, such as 10/s or 30/m", text)
	}
	return v, nil
}

func readUsers(list, file string) (all []User, err error) {
	entries := strings.Split(list, ",")
	where := "-users"
	switch {
	case list == "" && file == "":
		return nil, errors.New("-users or -users-file is missing: name:password of the telephones that call and answer")
	case list != "" && file != "":
		return nil, errors.New("-users and -users-file: one of them")
	case file != "":
		text, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("-users-file: %w", err)
		}
		entries, where = strings.Split(text, "\n"), file
	}
	seen := map[string]bool{}
	for i, e := range entries {
		e = strings.TrimSpace(e)
		if file != "" && (e == "" || strings.HasPrefix(e, "#")) {
			continue
		}
		name, password, _ := strings.Cut(e, ":")
		switch {
		case !dialable(name):
			return nil, fmt.Errorf("%s, entry %d: %q is no user name (letters, digits and + - . _ *)", where, i+1, name)
		case seen[name]:
			return nil, fmt.Errorf("%s, entry %d: user %s is there twice", where, i+1, name)
		case strings.ContainsAny(password, "\r\n"):
			return nil, fmt.Errorf("%s, entry %d: the password of %s has a line break in it", where, i+1, name)
		}
		seen[name] = true
		all = append(all, User{name, password})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s names no user", where)
	}
	return all, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s is longer than %d MB", path, maxSize>>20)
	}
	return string(text), err
}

// dialable reports whether text can stand before the @ of a SIP address as it is.
func dialable(text string) bool {
	for _, r := range text {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("+-._*", r)) {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

func (c *Config) parseNumbers(text string) error {
	switch text {
	case "":
		return errors.New(`-call is missing: the number to dial, several with commas between them, or "pairs"`)
	case "pairs":
		if len(c.Users) < 2 {
			return errors.New("-call pairs: at least two users are wanted")
		}
		return nil
	}
	for n := range strings.SplitSeq(text, ",") {
		n = strings.TrimSpace(n)
		if !dialable(n) {
			return fmt.Errorf("-call: %q is no number (letters, digits and + - . _ *)", n)
		}
		c.Numbers = append(c.Numbers, n)
	}
	return nil
}

func (c *Config) parseBind(text string) error {
	if text == "" {
		return nil
	}
	for one := range strings.SplitSeq(text, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(one))
		if err != nil || !a.Is4() || a.IsUnspecified() {
			return fmt.Errorf("-bind %q: an IPv4 address of this machine is wanted", one)
		}
		c.Bind = append(c.Bind, a)
	}
	return nil
}
