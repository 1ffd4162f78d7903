package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

const shop = `
box: {name: Bottega}
phones:
  - {id: "201", name: Anna, password: password-of-201}
  - {id: "202", name: Bruno, password: password-of-202}
  - {id: "203", name: Carla, password: password-of-203}
  - {id: "206", name: Erika, password: password-of-206}
lamps:
  - {id: desk1, driver: sim}
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"], lamp: desk1}
  - {id: bruno, name: Bruno, extension: "202", phones: ["202"]}
  - {id: carla, name: Carla, extension: "203", phones: ["203"]}
  - {id: erika, name: Erika, extension: "206", phones: ["206"]}
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna], ring: 15s}
`

// bench is a running box on real sockets and its configuration.
type bench struct {
	t     *testing.T
	box   *Box
	live  *live.Live
	board *testBoard
	sip   string

	session string // of the owner's browser
}

var benches atomic.Int32

// start runs a box on an address of its own, so that tests never meet on a port; more goes into the
// section sip.
func start(t *testing.T, text string, more ...string) *bench {
	t.Helper()
	return startWith(t, text, func(*Options) {}, func(*Box) {}, more...)
}

// startWith runs a box with options of its own; built sees it before it runs.
func startWith(t *testing.T, text string, change func(*Options), built func(*Box), more ...string) *bench {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	host := fmt.Sprintf("127.%d.%d.%d", 100+os.Getpid()>>8%100, os.Getpid()%250+1, benches.Add(1))
	sip := strings.Join(append([]string{"listen: \"" + host + ":5060\""}, more...), ", ")
	text = fmt.Sprintf("sip: {%s}\nmedia: {bind: %s, port_min: 20000, port_max: 20200}\nweb: {listen: \"%s:8080\", tls_listen: \"%s:8443\"}\n", sip, host, host, host) + text
	return startOn(t, host+":5060", text, change, built)
}

// startOn runs a box whose configuration says itself where it listens; sip is where phones find it.
func startOn(t *testing.T, sip, text string, change func(*Options), built func(*Box)) *bench {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "pronto.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := live.Open(live.Options{File: file, Dir: filepath.Join(dir, "var", "config")})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, live: l, board: &testBoard{}, sip: sip}
	options := Options{
		Log: slog.New(slog.DiscardHandler), Live: l, Dir: filepath.Join(dir, "var"), RunDir: filepath.Join(dir, "var", "run"), Board: b.board, Powered: control.Uptime(),
	}
	change(&options)
	if b.box, err = Build(options); err != nil {
		t.Fatal(err)
	}
	built(b.box)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.box.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	b.eventually("the box takes changes", func() bool {
		_, err := l.Reload(t.Context())
		return err == nil
	})
	return b
}

func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (b *bench) phone(user string) *testPhone {
	b.t.Helper()
	p := newPhone(b.t, b.sip, user, "password-of-"+user)
	if s := p.register(); s != "200" {
		b.t.Fatalf("phone %s: %s", user, s)
	}
	return p
}

// apply makes a change that must succeed and returns what each room said.
func (b *bench) apply(edit func(*config.Config)) map[string]live.Outcome {
	b.t.Helper()
	r, err := b.live.Apply(b.t.Context(), live.Edit(edit), "test", "")
	if err != nil {
		b.t.Fatal(err)
	}
	said := map[string]live.Outcome{}
	for _, a := range r.Rooms {
		said[a.Room] = a.Outcome
	}
	return said
}

// page is what the owner sees, who asks for no language and makes the box his own at the first look.
func (b *bench) page() string {
	b.t.Helper()
	if b.session == "" {
		v := access.Visitor{Addr: netip.MustParseAddr("127.0.0.1"), LAN: true}
		var err error
		if b.session, err = b.box.accounts.Claim(b.t.Context(), string(b.box.accounts.Code()), "anna", "cavallo corretto pinzatrice", v); err != nil {
			b.t.Fatal(err)
		}
	}
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.live.Current().Web.Listen.String(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "pronto_session", Value: b.session})
	res, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// now finds an event that holds at this moment.
func now[E tel.Event](b *bench, match func(E) bool) (found E, ok bool) {
	for _, e := range b.box.present.snapshot().([]tel.Event) {
		if e, is := e.(E); is && match(e) {
			return e, true
		}
	}
	return found, false
}

func TestAnOfficeIsChangedWhileACallIsUp(t *testing.T) {
	b := start(t, shop)
	anna, bruno, carla, erika := b.phone("201"), b.phone("202"), b.phone("203"), b.phone("206")
	if n := carla.offered(); n != 1 {
		t.Errorf("%d algorithms are offered in an office where SHA-256 is enough", n)
	}
	talk := anna.call("202")
	if !bruno.hears(anna, 0x31) || !anna.hears(bruno, 0x32) {
		t.Fatal("the call has no audio before the change")
	}
	waiting := erika.call("400") // nobody is logged in; born with the old configuration

	said := b.apply(func(c *config.Config) {
		c.Phones = append(c.Phones[:2:2], c.Phones[3], config.Phone{ID: "204", Name: "Dario", Password: "password-of-204", MD5: true})
		c.Agents[2].Phones = nil
		c.Lamps = append(c.Lamps, config.Lamp{ID: "desk2", Driver: "sim"})
		c.Agents = append(c.Agents, config.Agent{ID: "dario", Name: "Dario", Extension: "204", Phones: []tel.DeviceID{"204"}, Lamp: "desk2"})
		c.Queues[0].Agents, c.Queues[0].Ring = []tel.AgentID{"anna", "dario"}, 30*time.Second
	})
	want := map[string]live.Outcome{
		"lines": live.Unchanged, "trunks": live.Unchanged, "lamps": live.Applied, "queues": live.Applied,
		"numbers and phones": live.AfterDrain, "page": live.Applied, "addresses, ports and realm": live.Unchanged,
	}
	for room, outcome := range want {
		if said[room] != outcome {
			t.Errorf("%s: %v, want %v", room, said[room], outcome)
		}
	}

	if n := carla.offered(); n != 2 {
		t.Errorf("%d algorithms are offered though the new phone only knows MD5", n)
	}
	if got := b.box.registrar.Bindings("203"); len(got) != 0 {
		t.Errorf("the removed phone can still be called: %v", got)
	}
	if s := carla.register(); s == "200" {
		t.Error("the removed phone registers again")
	}
	if _, ok := now(b, func(d tel.DeviceChanged) bool { return d.Device == "203" }); ok {
		t.Error("the removed phone is still shown")
	}
	dario := b.phone("204")
	if err := b.box.queues.Login(t.Context(), "dario"); err != nil {
		t.Fatal(err)
	}
	b.eventually("the caller who waited is answered by the new agent", func() bool { return slices.Contains(dario.requests(), "ACK") })
	b.eventually("the new agent's lamp shows the call", func() bool {
		l, ok := now(b, func(l tel.LampChanged) bool { return l.Lamp == "desk2" })
		return ok && l.Agent == "dario" && l.State == tel.AgentTalking
	})

	if !bruno.hears(anna, 0x33) || !anna.hears(bruno, 0x34) {
		t.Error("the call that was up has no audio after the change")
	}
	if got := bruno.requests(); !slices.Equal(got, []string{"INVITE", "ACK"}) {
		t.Errorf("the call that was up was disturbed: %q", got)
	}
	if got := anna.requests(); len(got) != 0 {
		t.Errorf("the call that was up was disturbed: %q", got)
	}
	if anna.hangup(talk) != "200" || erika.hangup(waiting) != "200" {
		t.Error("calls cannot be ended after the change")
	}
	b.eventually("the other side hears of the end", func() bool { return slices.Contains(bruno.requests(), "BYE") })
}

func TestAConfigurationWithAMistakeChangesNothing(t *testing.T) {
	b := start(t, shop)
	was := b.box.numbering.Load()
	_, err := b.live.Apply(t.Context(), live.Edit(func(c *config.Config) {
		c.Box.Name = "Other"
		c.Queues[0].Agents = append(c.Queues[0].Agents, "ghost")
	}), "test", "")
	found, ok := errors.AsType[config.Problems](err)
	if !ok || len(found) != 1 || found[0].Path != "queues[0].agents[1]" {
		t.Errorf("mistake: %v", err)
	}
	_, err = b.live.Apply(t.Context(), live.Edit(func(c *config.Config) {
		c.Trunks = []config.Trunk{{ID: "tim", Server: "127.0.0.1:9", Register: true, User: "two words", Password: "secret"}}
	}), "test", "")
	if v, ok := errors.AsType[*live.Veto](err); !ok || v.Rooms[0].Room != "trunks" || !strings.Contains(err.Error(), "user: may hold") {
		t.Errorf("veto: %v", err)
	}
	if b.box.numbering.Load() != was || b.live.Current().Box.Name != "Bottega" || len(b.box.trunks.open) != 0 {
		t.Error("something changed")
	}
}

func TestALampThatCannotBeOpenedTakesEverythingBack(t *testing.T) {
	b := start(t, shop)
	before := b.live.Current()
	r, err := b.live.Apply(t.Context(), live.Edit(func(c *config.Config) {
		c.Lines = []config.Line{{ID: "gsm0", Type: "gsm", AT: "at0"}}
		c.Trunks = []config.Trunk{{ID: "tim", Server: "127.0.0.1:9", Register: true, User: "box", Password: "secret"}}
		c.Lamps = append(c.Lamps, config.Lamp{ID: "broken", Driver: "sim"})
		c.Agents = append(c.Agents, config.Agent{ID: "dario", Name: "Dario", Extension: "204"})
	}), "test", "")
	f, ok := errors.AsType[*live.Failure](err)
	if !ok || f.Room != "lamps" || f.Undo != nil {
		t.Fatalf("%v", err)
	}
	if len(r.Rooms) != 3 || !r.Rooms[0].Undone || !r.Rooms[1].Undone || !r.Rooms[2].Undone {
		t.Errorf("%+v", r.Rooms)
	}
	if b.live.Current() != before || len(b.box.trunks.open) != 0 || len(b.box.lines.open) != 0 || !b.board.made("gsm0").closed.Load() {
		t.Error("something stayed")
	}
	if _, ok := now(b, func(l tel.LineChanged) bool { return true }); ok {
		t.Error("a line that was taken back is shown")
	}
	if err := b.box.queues.Login(t.Context(), "dario"); err == nil {
		t.Error("the new agent stayed")
	}
	anna := b.phone("201")
	if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	b.eventually("the lamp works as before", func() bool {
		l, ok := now(b, func(l tel.LampChanged) bool { return l.Lamp == "desk1" })
		return ok && l.State == tel.AgentReady
	})
	if s := anna.register(); s != "200" {
		t.Error(s)
	}
}

func TestWhatNeedsARestartSaysSoUntilItHappens(t *testing.T) {
	b := start(t, shop)
	const room = "addresses, ports and realm"
	old := b.live.Current().SIP
	if said := b.apply(func(c *config.Config) { c.SIP.Realm = "elsewhere" }); said[room] != live.NeedsRestart || said["queues"] != live.Unchanged {
		t.Errorf("%v", said)
	}
	if said := b.apply(func(c *config.Config) { c.Box.Name = "Officina" }); said[room] != live.NeedsRestart {
		t.Errorf("a restart that is due was forgotten: %v", said)
	}
	b.phone("201") // with the password's fingerprint of the realm in force
	if said := b.apply(func(c *config.Config) { c.SIP.Realm = old.Realm }); said[room] != live.Unchanged {
		t.Errorf("%v", said)
	}
}

func TestAChangedPasswordEndsTheOldRegistration(t *testing.T) {
	b := start(t, shop)
	anna := b.phone("201")
	b.apply(func(c *config.Config) { c.Phones[0].Password = "another-password" })
	if len(b.box.registrar.Bindings("201")) != 0 || anna.register() == "200" {
		t.Error("the old password still opens")
	}
	anna.password = "another-password"
	if s := anna.register(); s != "200" {
		t.Errorf("the new password: %s", s)
	}
}

func TestPeopleAreShownWithTheirNewNames(t *testing.T) {
	b := start(t, shop)
	if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	if page := b.page(); !strings.Contains(page, "Erika") || !strings.Contains(page, `lang="it"`) {
		t.Errorf("the page before: %s", page)
	}
	b.apply(func(c *config.Config) {
		c.Agents[0].Name, c.Agents, c.Phones = "Anna Maria", c.Agents[:2], c.Phones[:2]
		c.Box.Name, c.Box.Language = "Officina", "en"
	})
	if a, ok := now(b, func(a tel.AgentChanged) bool { return a.Agent == "anna" }); !ok || a.Name != "Anna Maria" {
		t.Errorf("%+v", a)
	}
	if a, ok := now(b, func(a tel.AgentChanged) bool { return a.Agent == "erika" }); ok {
		t.Errorf("a person who left is shown: %+v", a)
	}
	b.eventually("the page shows who is here, in the new language", func() bool {
		page := b.page()
		return strings.Contains(page, "Anna Maria") && !strings.Contains(page, "Erika") && strings.Contains(page, `lang="en"`) && strings.Contains(page, "Officina")
	})
}

// carrier answers every REGISTER and remembers it.
type testCarrier struct {
	conn *net.UDPConn
	mu   sync.Mutex
	got  []string
}

func newCarrier(t *testing.T) *testCarrier {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &testCarrier{conn: conn}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			req := string(buf[:n])
			c.mu.Lock()
			c.got = append(c.got, req)
			c.mu.Unlock()
			res := "SIP/2.0 200 OK\r\n"
			for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Contact"} {
				for _, v := range headers(req, h) {
					res += h + ": " + v + "\r\n"
				}
			}
			_, _ = conn.WriteToUDP([]byte(res+"Expires: 600\r\nContent-Length: 0\r\n\r\n"), from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return c
}

func (c *testCarrier) registers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func TestATrunkIsAddedChangedAndRemoved(t *testing.T) {
	b := start(t, shop)
	c := newCarrier(t)
	up := func(name string) func() bool {
		return func() bool {
			l, ok := now(b, func(l tel.LineChanged) bool { return l.Line == "trunk:tim" })
			return ok && l.Up && l.Name == name
		}
	}
	said := b.apply(func(cfg *config.Config) {
		cfg.Trunks = []config.Trunk{{ID: "tim", Name: "TIM", Server: c.conn.LocalAddr().String(), Register: true, User: "box", Password: "secret"}}
	})
	if said["trunks"] != live.Applied {
		t.Errorf("%v", said)
	}
	b.eventually("the new trunk is up", up("TIM"))
	first := b.box.trunks.find("tim").trunk

	said = b.apply(func(cfg *config.Config) { cfg.Trunks[0].In = map[tel.Number]string{"*": "queue:sales"} })
	if said["trunks"] != live.Unchanged || b.box.trunks.find("tim").trunk != first || len(c.registers()) != 1 {
		t.Errorf("where calls go made a new trunk: %v", said)
	}

	first.Occupy() // a call is up
	said = b.apply(func(cfg *config.Config) { cfg.Trunks[0].Name = "TIM fibra" })
	if said["trunks"] != live.AfterDrain {
		t.Errorf("%v", said)
	}
	b.eventually("the changed trunk is up", up("TIM fibra"))
	all := c.registers()
	if len(all) != 2 || headers(all[0], "Contact")[0] != headers(all[1], "Contact")[0] || headers(all[0], "Call-ID")[0] != headers(all[1], "Call-ID")[0] {
		t.Errorf("the carrier knows us twice: %q", all)
	}

	b.apply(func(cfg *config.Config) { cfg.Trunks = nil })
	if _, ok := now(b, func(l tel.LineChanged) bool { return l.Line == "trunk:tim" }); ok {
		t.Error("the removed trunk is shown")
	}
	if kept := b.box.hot.Load("trunk"); len(kept) != 0 {
		t.Errorf("kept: %v", kept)
	}
}

func TestALineWithACallUpIsReplacedWhenTheCallHasEnded(t *testing.T) {
	b := start(t, shop+"lines:\n  - {id: gsm0, name: Mobile, type: gsm, at: at0, in: \"queue:sales\"}\n")
	old := b.board.made("gsm0")
	old.events <- line.Event{Kind: line.Incoming, Number: "+393331234567"}
	b.eventually("the caller is answered", old.answered.Load)
	old.events <- line.Event{Kind: line.Connected}

	said := b.apply(func(c *config.Config) { c.Lines[0].Name = "Mobile due" })
	if said["lines"] != live.AfterDrain || old.closed.Load() || b.board.made("gsm0") != old {
		t.Fatalf("the call was disturbed: %v, closed %v", said, old.closed.Load())
	}
	b.apply(func(c *config.Config) { c.Lines[0].Name = "Mobile tre" })
	old.events <- line.Event{Kind: line.Ended, Cause: tel.CauseNormal}
	b.eventually("the new modem is open", func() bool { return b.board.made("gsm0") != old })
	if again := b.board.made("gsm0"); !old.closed.Load() || again.cfg.Name != "Mobile tre" {
		t.Errorf("old closed %v, new is %q", old.closed.Load(), again.cfg.Name)
	}
	said = b.apply(func(c *config.Config) { c.Lines[0].In = "" })
	if said["lines"] != live.Unchanged {
		t.Errorf("where calls go opened the modem anew: %v", said)
	}
	last := b.board.made("gsm0")
	if said := b.apply(func(c *config.Config) { c.Lines = nil }); said["lines"] != live.Applied || !last.closed.Load() {
		t.Errorf("%v", said)
	}
}

// testBoard has lamps in memory, of which "broken" cannot be opened, and lines that the test plays.
type testBoard struct {
	mu    sync.Mutex
	lines map[tel.LineID]*testLine
}

func (*testBoard) Lights(all []config.Lamp) ([]lamp.Light, error) {
	var lights []lamp.Light
	for _, l := range all {
		if l.ID == "broken" {
			return nil, errors.New("pin 17 is used by another program")
		}
		lights = append(lights, lightsim.New(l.ID))
	}
	return lights, nil
}

func (*testBoard) Buttons(all []config.Button) ([]lamp.Button, error) {
	return linuxBoard{}.Buttons(all)
}

func (b *testBoard) Line(c config.Line, _ LineMemory, _ line.Supply, _ line.Inbox, _ *slog.Logger) (line.Line, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines = map[tel.LineID]*testLine{}
	}
	b.lines[c.ID] = &testLine{cfg: c, events: make(chan line.Event, 8)}
	return b.lines[c.ID], nil
}

// made is the latest line of an id.
func (b *testBoard) made(id tel.LineID) *testLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[id]
}

type testLine struct {
	cfg      config.Line
	events   chan line.Event
	answered atomic.Bool
	dialled  atomic.Bool
	hungUp   atomic.Uint32 // the last cause
	silent   atomic.Bool   // its sound does not reach the box
	closed   atomic.Bool
}

func (l *testLine) ID() tel.LineID            { return l.cfg.ID }
func (l *testLine) Caps() line.Caps           { return line.Caps{FullDuplex: !l.silent.Load(), DTMFDetect: true} }
func (l *testLine) Events() <-chan line.Event { return l.events }
func (l *testLine) Dial(context.Context, tel.Number) error {
	l.dialled.Store(true)
	return line.ErrRefused
}
func (l *testLine) Answer(context.Context) error { l.answered.Store(true); return nil }
func (l *testLine) Hangup(_ context.Context, why tel.Cause) error {
	l.hungUp.Store(uint32(why))
	return nil
}
func (l *testLine) SendDTMF(context.Context, string) error { return nil }
func (l *testLine) Flash(context.Context) error            { return line.ErrNoSupport }
func (l *testLine) Media() (line.Media, error)             { return nil, line.ErrNoCall }
func (l *testLine) Close() error {
	if !l.closed.Swap(true) {
		close(l.events)
	}
	return nil
}
