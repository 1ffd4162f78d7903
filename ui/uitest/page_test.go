package uitest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone/phonetest"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/view"
	"github.com/pronto-pbx/pronto/ui/web"
)

// office is a page being served.
type office struct {
	addr   string
	events chan []tel.Event // pushed one by one
	stop   func()
}

func (o *office) url(query string) string { return "http://" + o.addr + "/" + query }

func (o *office) push(t testing.TB, events ...tel.Event) {
	t.Helper()
	select {
	case o.events <- events:
	case <-time.After(patience):
		t.Fatal("the hub takes no events")
	}
}

// serve serves an office on an address until stop, or the end of the test.
func serve(t testing.TB, addr string, present []tel.Event) *office {
	t.Helper()
	return serveTo(t, addr, present, signedIn)
}

// visitor is the page as somebody sees it.
type visitor func(testing.TB, map[string]*page.Renderer, *live.Hub) http.Handler

// serveTo is serve for a visitor who may not be signed in.
func serveTo(t testing.TB, addr string, present []tel.Event, visitor visitor) *office {
	t.Helper()
	return serveIn(t, words(t), addr, present, visitor)
}

// words are the pages of every language.
func words(t testing.TB) map[string]*page.Renderer {
	t.Helper()
	all, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// serveIn is serveTo in the given words, by language.
func serveIn(t testing.TB, words map[string]*page.Renderer, addr string, present []tel.Event, visitor visitor) *office {
	t.Helper()
	hub := live.New(slog.New(slog.DiscardHandler), words, Empty)
	var l net.Listener
	var err error
	for range 50 { // the port of a server that was just stopped
		if l, err = net.Listen("tcp", addr); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := &office{addr: l.Addr().String(), events: make(chan []tel.Event)}
	hubDone, webDone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(hubDone)
		hub.Run(ctx, func(ctx context.Context, show func([]tel.Event), apply func(tel.Event)) {
			show(present)
			for {
				select {
				case events := <-o.events:
					for _, e := range events {
						apply(e)
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}()
	go func() {
		defer close(webDone)
		if err := front.Serve(ctx, l, visitor(t, words, hub), nil); err != nil {
			t.Error(err)
		}
	}()
	o.stop = func() {
		cancel()
		<-hubDone
		<-webDone
	}
	t.Cleanup(o.stop)
	return o
}

// newBox is the page of a box that nobody owns yet.
func newBox(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) (http.Handler, *access.Accounts) {
	accounts, err := access.New(access.Config{Save: func(access.State) error { return nil }, Note: func(access.Note) {}}, access.State{}, time.Now())
	if err != nil {
		t.Error(err)
	}
	cfg := web.Config{
		Log: slog.New(slog.DiscardHandler), Pages: words, Hub: hub, Accounts: accounts, Language: func() string { return "it" }, Name: func() string { return "Bottega Rossi" },
		LAN: func(netip.Addr) bool { return true }, Plain: func() bool { return true }, People: func() []page.Person { return nil }, Queues: func() []page.Choice { return nil }, Ready: func() error { return nil },
		Present: func() ([]byte, error) { return []byte("[]"), nil }, Codes: func() []view.Code { return nil }, Phone: phonetest.Busy(Hostile),
		Desk: func(context.Context, tel.AgentID) (*page.Desk, error) {
			return &page.Desk{
				Name: Hostile, State: tel.AgentReady, Since: time.Now(), Browser: true,
				Dispositions: []string{"Venduto", "ReclamoInoltratoAllaDirezioneDiVendita00"}, Disposed: "ReclamoInoltratoAllaDirezioneDiVendita00",
			}, nil
		},
	}
	office, err := settingstest.New(settingstest.Office + `conferences: [{id: sala, name: Sala, number: "88", pin: "2468"}]
dispositions: [{code: "1", name: Venduto, queues: [sales, help]}, {code: "20", name: Da richiamare entro la settimana}, {code: "300", name: ReclamoInoltratoAllaDirezioneDiVendita00}]
`)
	if err != nil {
		t.Error(err)
	}
	office.Standing = map[string]tel.LineChanged{
		"trunk:tim": {Line: "trunk:tim", Name: "TIM", Type: "sip", Cause: tel.LineRefused}, "line:gsm0": {Line: "line:gsm0", Name: Hostile, Type: "gsm", Up: true, Cause: tel.LineInUse, Calls: 1, Operator: Hostile, Signal: -71},
	}
	office.Audited = []tel.PageAccessed{{At: time.Now(), What: "wrong_password", User: Hostile, From: "192.168.1.66"}, {At: time.Now(), What: "configured", User: "anna", Whom: "2 " + Hostile, From: "192.168.1.20"}}
	cfg.Settings, cfg.Voice, cfg.Setup = office.Port(), voices().Port(), wizard().Box()
	saved := settingstest.Backups{
		Stands: page.BackupState{Made: time.Now(), Tried: time.Now(), Name: "pronto-bottega-rossi-20260302T010000Z.age", To: "/media/usb", Files: 123, Bytes: 4_560_000, Kit: time.Now()},
		Copies: []page.Copy{{Name: "pronto-bottega-rossi-20260302T010000Z.age", Made: time.Now()}},
	}
	cfg.Backups = saved.Port()
	machine := settingstest.Board{State: settingstest.EveryFault()}
	cfg.Board = machine.Port()
	wires := settingstest.Network{Stands: page.NetworkState{
		Interfaces: []page.Interface{{Name: "eth0", Up: true, Hardware: "dc:a6:32:01:02:03", Addresses: []string{"192.168.1.40/24", "2001:db8:1234:5678:dea6:32ff:fe01:203/64"}}, {Name: "wlan0"}},
		Router:     "192.168.1.1", DNS: []string{"192.168.1.1", "2001:db8:1234:5678::1"}, Names: []string{"pronto-9qxa.local"}, Clock: "ntp1.inrim.it", Synced: true, NAT: "double", Public: "100.64.3.4",
		ALG: "on the way to 198.51.100.1 Via became " + Hostile, Owned: true, Undone: "not_confirmed", LostAt: time.Now(),
		Lost: page.NetworkChoice{Fixed: true, Addr: netip.MustParsePrefix("192.168.1.10/24"), Router: netip.MustParseAddr("192.168.1.1"), NTP: []string{"ntp1.inrim.it"}, Host: "centralino"},
	}}
	cfg.Network = wires.Port()
	proof := settingstest.Certificate{Stands: page.CertificateState{
		Kind: "given", Names: []string{"centralino.bottega-rossi.example.it", "192.168.1.40"}, Issuer: "CN=R11,O=Let's Encrypt,C=US", Expires: time.Now(),
		Fingerprint: strings.Repeat("0123456789abcdef", 4), Uncovered: []string{"pronto.local", "pronto-9qxa.local"}, Alone: true, Undo: true,
	}}
	cfg.Certificate = proof.Port()
	releases := settingstest.Updates{Stands: settingstest.Releases(Hostile, time.Now())}
	releases.Stands.Last = &page.UpdateOutcome{Version: "1.4.2", Result: "back", At: time.Now(), Why: page.Said{Sentence: "update.unfit_call", Detail: Hostile}}
	releases.Stands.Stale = true
	cfg.Updates = releases.Port()
	persons := settingstest.Erasures{Persons: settingstest.Forgotten(Hostile, time.Now())}
	cfg.Erasures = persons.Port()
	traces := settingstest.Traces{State: settingstest.Traced(Hostile, time.Now())}
	cfg.Traces = traces.Port()
	cfg.Erase = func() error { return nil }
	cfg.Conferences = func() []page.Conference { return settingstest.Conferences(Hostile, time.Now()) }
	cfg.Ladder = func(tel.CallID) []page.Rung { return settingstest.Rungs(Hostile, time.Now()) }
	cfg.Capture = func(w io.Writer, _ tel.CallID) error { _, err := io.WriteString(w, Hostile); return err }
	cfg.Handover = func(context.Context) page.Handover { return settingstest.Handover(Hostile) }
	floor(&cfg)
	h, err := web.New(cfg)
	if err != nil {
		t.Error(err)
	}
	return h, accounts
}

// aNewBox is the page as it is before anybody has claimed the box.
func aNewBox(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
	h, _ := newBox(t, words, hub)
	return h
}

// anOwnedBox is the page as somebody sees it who is not signed in.
func anOwnedBox(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
	h, accounts := newBox(t, words, hub)
	claim(t, accounts)
	return h
}

// claim makes anna the owner and returns her session.
func claim(t testing.TB, accounts *access.Accounts) (token string) {
	v := access.Visitor{Addr: netip.MustParseAddr("127.0.0.1"), LAN: true}
	token, err := accounts.Claim(context.Background(), string(accounts.Code()), "anna", "cavallo corretto pinzatrice", v)
	if err != nil {
		t.Error(err)
	}
	if err := accounts.SetRole("anna", "anna", access.Owner, "anna", nil, v); err != nil { // she answers calls herself
		t.Error(err)
	}
	return token
}

// signedIn is the page as its owner's browser sees it: each request carries the session.
func signedIn(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
	h, accounts := newBox(t, words, hub)
	token := claim(t, accounts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "127.0.0.1:50000" // of who sits at the box itself, and sees what is not shown in the clear
		r.AddCookie(&http.Cookie{Name: "pronto_session", Value: token})
		h.ServeHTTP(w, r)
	})
}

const isLive = `document.body.dataset.fresh === "live"`

func TestThePageInABrowser(t *testing.T) {
	b := Start(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *Browser)
	}{
		{"nothing is cut at any width in any office", nothingIsCut},
		{"the page comes packed", thePageComesPacked},
		{"an event changes the open page and timers tick", anEventChangesThePage},
		{"focus, selection and nodes survive changes at 5 Hz", thePersonKeepsTheirPlace},
		{"silence is said, and its end", silenceIsSaid},
		{"hostile names stay text", hostileNamesStayText},
		{"the page is whole without script", thePageIsWholeWithoutScript},
		{"a new box is claimed from its label, and its owner comes back", aNewBoxIsClaimed},
		{"an owner signs in with a passkey", anOwnerSignsInWithAPasskey},
		{"an invited person comes in by the link", anInvitedPersonComesIn},
		{"a supervisor directs callers and agents", aSupervisorDirects},
		{"a message is recorded with the browser's microphone", aMessageIsRecorded},
		{"the recovery kit is shown, saved as a file and confirmed", theKitIsSavedAndConfirmed},
		{"a queue is changed and changed back without script", aQueueIsChangedAndBack},
		{"nothing moves for those who ask for stillness", nothingMovesForThoseWhoAskForStillness},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, b)
		})
	}
	if *pictures != "" {
		t.Run("pictures", func(t *testing.T) { paint(t, b) })
	}
}

func nothingIsCut(t *testing.T, b *Browser) {
	now := time.Now()
	for _, c := range []struct {
		name, lang string
		present    []tel.Event
	}{
		{"empty", "en", nil},
		{"busy", "it", Busy(now)},
		{"busy", "en", Busy(now)},
		{"attack", "it", Attack(now)},
		{"crowd", "it", Crowd(60, now)},
	} {
		o := serve(t, "127.0.0.1:0", c.present)
		p := b.Open(t, o.url("?lang="+c.lang), Look{})
		p.Wait(t, isLive)
		for _, width := range []int{360, 768, 1280, 1920} {
			p.Look(t, Look{Width: width, Height: 900})
			var sticks []string
			if p.Eval(t, cut, &sticks); len(sticks) > 0 {
				t.Errorf("%s %s at %d: cut:\n%s", c.name, c.lang, width, strings.Join(sticks, "\n"))
			}
			if *looks != "" {
				for _, dark := range []bool{false, true} {
					p.Look(t, Look{Width: width, Height: 900, Dark: dark})
					write(t, filepath.Join(*looks, fmt.Sprintf("%s-%s-%d-%v.png", c.name, c.lang, width, dark)), p.Picture(t))
				}
			}
		}
		o.stop()
	}
}

func paint(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	for name, look := range map[string]Look{"office-it-light": {}, "office-en-dark": {Dark: true}} {
		p := b.Open(t, o.url("?lang="+strings.Split(name, "-")[1]), look)
		p.Wait(t, isLive)
		write(t, filepath.Join(*pictures, name+".png"), small(t, p.Picture(t)))
	}
	for name, path := range map[string]string{"queue-it-light": "queues/sales?lang=it", "lines-en-dark": "lines?lang=en"} {
		p := b.Open(t, o.url(path), Look{Dark: strings.HasSuffix(name, "dark")})
		p.Wait(t, `!!document.querySelector("main h1")`)
		write(t, filepath.Join(*pictures, name+".png"), small(t, p.Picture(t)))
	}
}

// small paints a picture with its 64 most frequent colours, for a quarter of the bytes: flat surfaces
// lose nothing, the edges of letters a shade.
func small(t *testing.T, picture []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	box, seen := from.Bounds(), map[color.Color]int{}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			seen[from.At(x, y)]++
		}
	}
	palette := slices.Collect(maps.Keys(seen))
	slices.SortFunc(palette, func(a, b color.Color) int { return cmp.Compare(seen[b], seen[a]) })
	palette = palette[:min(len(palette), 64)]
	nearest := map[color.Color]uint8{}
	for c := range seen {
		nearest[c] = uint8(color.Palette(palette).Index(c))
	}
	to := image.NewPaletted(box, palette)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			to.SetColorIndex(x, y, nearest[from.At(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
