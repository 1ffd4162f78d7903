package boottest

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
)

// publisher is a vendor whose repository lies at our end of a cable, as the updater of an image finds it.
type publisher struct {
	*repositorytest.Vendor
	documents map[string][]byte // by which a system knows it
	server    *http.Server
}

func publish(t *testing.T, c *cable) *publisher {
	t.Helper()
	p := &publisher{Vendor: repositorytest.New(t, time.Now)}
	p.documents = map[string][]byte{recipe.VendorRoot: p.Root, recipe.UpdateURL: []byte("http://" + c.us.String() + "/pronto\n")}
	l, err := net.Listen("tcp", netip.AddrPortFrom(c.us, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.StripPrefix("/pronto", http.FileServer(http.Dir(p.Dir))), ReadHeaderTimeout: patience}
	p.server = server
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return p
}

// offers publishes a release for the emulated machine.
func (p *publisher) offers(r system, models ...string) {
	p.T.Helper()
	p.Release("stable", r.version, r.part(p.T.(*testing.T)), func(m *release.Manifest) { m.Models, m.Epoch = models, 1 })
}

// owned is a box with the updater of the image, and its owner at the page.
type owned struct {
	*tried
	p     *publisher
	owner *guest
	kind  string // of the emulated machine
}

func newOwned(t *testing.T, wire int, seed uint64, before ...func(*owned)) *owned {
	t.Helper()
	b := &tried{t: t, card: card(t, 2<<30), wire: lay(t, wire), seed: seed}
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office), 0o600); err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(personalise(t, b.card, "-id", boxID, "-office", file), "claim#")
	code, _, _ = strings.Cut(code, ",")
	o := &owned{tried: b, p: publish(t, b.wire), kind: "arm64"}
	system{version: "1.0.0", documents: o.p.documents, own: true}.into(t, b.card, layout.Offset(layout.SlotA))
	for _, do := range before { // the box is switched on
		do(o)
	}
	b.on(layout.SlotA)
	b.wire.answers(t, b.m)
	o.owner = unheard(t, b.wire)
	if status, body := o.owner.post("/claim", url.Values{"code": {code}, "name": {"titolare"}, "password": {"una frase lunga per la scatola"}}); status != http.StatusSeeOther {
		t.Fatalf("the claim: %d %s", status, body)
	}
	return o
}

// asks has the owner press a button of the page of updates, and returns what that page says then.
func (o *owned) asks(what string, form url.Values) (page string) {
	o.t.Helper()
	return o.then(o.owner.post("/update/"+what+"?lang=en", form))
}

// gives has the owner hand in a file.
func (o *owned) gives(name string, content []byte) (page string) {
	o.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return o.then(o.owner.send("/update/bundle?lang=en", w.FormDataContentType(), &body))
}

// then is the page that an answer leads to.
func (o *owned) then(status int, body string) (page string) {
	o.t.Helper()
	if status == http.StatusSeeOther {
		return o.page()
	}
	return body
}

func (o *owned) page() string {
	o.t.Helper()
	_, body := o.owner.get("/update?lang=en")
	return body
}

// shows waits until the page says all of something at once.
func (o *owned) shows(limit time.Duration, texts ...string) error {
	o.t.Helper()
	var page string
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Second) {
		page = o.page()
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(page, text) }) {
			return nil
		}
	}
	return fmt.Errorf("the page does not say %q but %q\n%s", texts, words(page), o.m.text())
}

var tag = regexp.MustCompile(`<[^>]*>`)

// words are those of a page, without its head and its navigation.
func words(page string) string {
	_, after, found := strings.Cut(page, "<main")
	if found {
		_, page, _ = strings.Cut(after, ">")
	}
	page, _, _ = strings.Cut(page, "</main>")
	return strings.Join(strings.Fields(tag.ReplaceAllString(page, " ")), " ")
}

// done prints an outcome.
func (o *owned) done(class string, began time.Time, what string) {
	o.n++
	fmt.Printf("outcome %d of seed %d: %-40s -> %s, %.0f s\n", o.n, o.seed, class, what, time.Since(began).Seconds())
}

func TestTheUpdaterOfTheImageTakesAReleaseThatCarriesACallAndNoOther(t *testing.T) {
	t.Parallel()
	o := newOwned(t, 45, 5)
	o.carries()
	for _, c := range []struct {
		class string
		do    func(o *owned, began time.Time)
	}{
		{"made for another kind of box", (*owned).otherBoard},
		{"a file that is no bundle", (*owned).noBundle},
		{"withdrawn before it was started", (*owned).withdrawn},
		{"a good one, by the updater itself", (*owned).good},
	} {
		if wanted(t, c.class) {
			c.do(o, time.Now())
		}
	}
}

// untouched judges that the card starts what it has always started.
func (o *owned) untouched(class string) {
	o.t.Helper()
	if _, text := o.sector(); !bytes.Equal(text, choice.Encode(choice.Default())) {
		o.t.Errorf("%s: the card chooses %q", class, text)
	}
}

func (o *owned) otherBoard(began time.Time) {
	o.t.Helper()
	o.p.offers(system{version: "1.0.1", documents: o.p.documents, own: true}, "pi5")
	if page := o.asks("check", nil); !strings.Contains(page, "it is made for another kind of box") {
		o.t.Errorf("a release for another board: %s", words(page))
	}
	if page := o.asks("install", url.Values{"version": {"1.0.1"}}); !strings.Contains(page, "This version is not on offer") {
		o.t.Errorf("it is installed all the same: %s", words(page))
	}
	o.untouched("another board")
	o.done("made for another kind of box", began, "refused")
}

func (o *owned) noBundle(began time.Time) {
	o.t.Helper()
	if page := o.gives("wrong.update", []byte("no bundle")); !strings.Contains(page, "This is no update for a box.") {
		o.t.Errorf("a wrong bundle: %s", words(page))
	}
	o.m.says("an update that was brought is not taken: the light says so", 1)
	o.untouched("a wrong bundle")
	o.done("a file that is no bundle", began, "refused")
}

// While somebody is on the phone a release waits; and what the vendor has withdrawn meanwhile is not started.
func (o *owned) withdrawn(began time.Time) {
	o.t.Helper()
	o.p.offers(system{version: "1.0.2", documents: o.p.documents, own: true}, o.kind)
	o.asks("check", nil)
	if !o.t.Run("a call is up", func(t *testing.T) {
		out, in := talk(t, o.wire, o.m)
		o.asks("install", url.Values{"version": {"1.0.2"}})
		if err := o.shows(5*time.Minute, "It waits until nobody is on the phone"); err != nil {
			t.Fatal(err)
		}
		if err := o.p.Withdraw("stable", "1.0.2", o.p.Keys); err != nil {
			t.Fatal(err)
		}
		hears(t, "the agent, all the time", in, hzCalls, hzAgent)
		out.Hangup()
		happens(t, o.m, "the agent's call ends", in.Ended())
	}) {
		o.t.FailNow()
	}
	o.m.await("the release is withdrawn", 4*time.Minute, func(lines, _ []string) bool {
		for _, l := range lines {
			if strings.Contains(l, "version=1.0.2") && strings.Contains(l, "withdrawn") {
				return true
			}
		}
		return false
	})
	o.untouched("withdrawn")
	o.done("withdrawn before it was started", began, "refused")
}

// One that is as it should be is fetched, written, started, carries its own call, and is kept.
func (o *owned) good(began time.Time) {
	o.t.Helper()
	o.p.offers(system{version: "1.1.0", documents: o.p.documents, own: true}, o.kind)
	o.asks("check", nil)
	o.asks("install", url.Values{"version": {"1.1.0"}})
	o.resets(8 * time.Minute)
	if !o.mark {
		o.t.Fatalf("the boot loader is not told of the trial\n%s", o.m.text())
	}
	o.on(layout.SlotB)
	o.m.await("the release is kept", 10*time.Minute, func(lines, _ []string) bool {
		for _, l := range lines {
			if strings.Contains(l, "the release on trial is kept") {
				return true
			}
		}
		return false
	})
	o.carries()
	o.m.cut()
	o.on(layout.SlotB)
	o.carries()
	o.done("a good one, by the updater itself", began, "kept")
}
