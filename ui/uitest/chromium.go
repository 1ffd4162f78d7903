// Package uitest drives a real Chromium, so that tests judge the page as a person's browser shows it.
// It speaks the DevTools protocol over the two pipes that Chromium offers; no socket is opened.
package uitest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every answer of the browser; a loaded machine starts it slowly.
const patience = 20 * time.Second

// Browser is one running Chromium.
type Browser struct {
	write io.WriteCloser

	mu      sync.Mutex // guards what follows and serialises writing
	last    int
	waiting map[int]chan answer
	pages   map[string]*Page // by session
	gone    error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Start runs Chromium until the test ends. Where there is none the test is skipped; with CI=true
// that is a failure. With -short no real program is started. More are arguments of Chromium's beside the usual ones.
func Start(t testing.TB, more ...string) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no browser is started")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed and CI=true")
		}
		t.Skip("chromium is not installed; the page was not looked at in a browser")
	}
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	oursToo, theirsToo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(more, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-zygote",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad", "--disable-dev-shm-usage",
		"--disable-extensions", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", // a microphone that beeps, and who allows it
		"--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")...)
	cmd.ExtraFiles = []*os.File{theirs, theirsToo} // its descriptors 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirs.Close(), theirsToo.Close()
	b := &Browser{write: ours, waiting: map[int]chan answer{}, pages: map[string]*Page{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(oursToo)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group: the browser and its renderers
		_ = cmd.Wait()
		_ = ours.Close()
		<-read
		_ = oursToo.Close()
		for range 20 { // a renderer may still be on its way out
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("the browser's directory %s stays", dir)
	})
	return b
}

// read takes messages, each ended by a zero byte, until the browser is gone.
func (b *Browser) read(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		raw, err := in.ReadBytes(0)
		if err != nil {
			b.end(fmt.Errorf("the browser is gone: %w", err))
			return
		}
		var m struct {
			ID        int
			SessionID string
			Method    string
			Params    json.RawMessage
			answer
		}
		if err := json.Unmarshal(bytes.TrimSuffix(raw, []byte{0}), &m); err != nil {
			b.end(fmt.Errorf("message of the browser: %w", err))
			return
		}
		b.mu.Lock()
		reply, page := b.waiting[m.ID], b.pages[m.SessionID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if m.ID != 0 && reply != nil {
			reply <- m.answer
		} else if m.ID == 0 && page != nil {
			page.note(m.Method, m.Params)
		}
	}
}

func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = err
	for id, c := range b.waiting {
		c <- answer{Error: &struct{ Message string }{err.Error()}}
		delete(b.waiting, id)
	}
}

// ask sends one command and decodes its result into out, which may be nil.
func (b *Browser) ask(session, method string, params, out any) error {
	reply := make(chan answer, 1)
	b.mu.Lock()
	if b.gone != nil {
		b.mu.Unlock()
		return b.gone
	}
	b.last++
	id := b.last
	m := map[string]any{"id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	raw, err := json.Marshal(m)
	if err == nil {
		b.waiting[id] = reply
		_, err = b.write.Write(append(raw, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case a := <-reply:
		if a.Error != nil {
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.Result, out)
	case <-late.C:
		return fmt.Errorf("%s: no answer in %v", method, patience)
	}
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int // CSS pixels; 0 = 1280 x 900
	Dark          bool
	Still         bool // prefers-reduced-motion
	NoScript      bool
}

// Page is one open tab with storage of its own.
type Page struct {
	b       *Browser
	session string

	mu     sync.Mutex // guards faults
	faults []string
}

// Open loads an address and waits until it is loaded. The tab is closed with the test.
func (b *Browser) Open(t testing.TB, url string, look Look) *Page {
	t.Helper()
	var ctx struct{ BrowserContextID string }
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	p := &Page{b: b}
	type o = map[string]any
	err := errors.Join(
		b.ask("", "Target.createBrowserContext", nil, &ctx),
		b.ask("", "Target.createTarget", o{"url": "about:blank", "browserContextId": ctx.BrowserContextID}, &target),
		b.ask("", "Target.attachToTarget", o{"targetId": target.TargetID, "flatten": true}, &attached),
	)
	if err != nil {
		t.Fatal(err)
	}
	p.session = attached.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	t.Cleanup(func() {
		if err := b.ask("", "Target.disposeBrowserContext", o{"browserContextId": ctx.BrowserContextID}, nil); err != nil {
			t.Error(err)
		}
	})
	p.Look(t, look)
	for _, method := range []string{"Page.enable", "Runtime.enable", "Log.enable"} {
		p.do(t, method, nil)
	}
	p.do(t, "Emulation.setScriptExecutionDisabled", o{"value": look.NoScript})
	p.do(t, "Emulation.setFocusEmulationEnabled", o{"enabled": true})
	p.do(t, "Page.navigate", o{"url": url})
	p.Wait(t, `document.readyState === "complete" && location.href !== "about:blank"`)
	return p
}

func (p *Page) do(t testing.TB, method string, params map[string]any) {
	t.Helper()
	if err := p.b.ask(p.session, method, params, nil); err != nil {
		t.Fatal(err)
	}
}

// visit goes to an address as one does who types it; the browser's reason why it cannot fails the test.
func (p *Page) visit(t testing.TB, url string) {
	t.Helper()
	var went struct{ ErrorText string }
	if err := p.b.ask(p.session, "Page.navigate", map[string]any{"url": url}, &went); err != nil || went.ErrorText != "" {
		t.Fatalf("%s: %v %s", url, err, went.ErrorText)
	}
}

// Look changes how the page is looked at, except for NoScript.
func (p *Page) Look(t testing.TB, look Look) {
	t.Helper()
	if look.Width == 0 {
		look.Width, look.Height = 1280, 900
	}
	scheme, motion := "light", "no-preference"
	if look.Dark {
		scheme = "dark"
	}
	if look.Still {
		motion = "reduce"
	}
	type o = map[string]any
	p.do(t, "Emulation.setDeviceMetricsOverride", o{"width": look.Width, "height": look.Height, "deviceScaleFactor": 1, "mobile": false})
	p.do(t, "Emulation.setEmulatedMedia", o{"features": []o{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion},
	}})
}

// note collects what a careful person would find in the console.
func (p *Page) note(method string, params json.RawMessage) {
	switch method {
	case "Runtime.exceptionThrown", "Log.entryAdded":
	case "Runtime.consoleAPICalled":
		if !bytes.Contains(params, []byte(`"type":"error"`)) && !bytes.Contains(params, []byte(`"type":"warning"`)) {
			return
		}
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, method+" "+string(params))
}

// Faults lists exceptions, console errors, and what the browser logged, such as violations of the
// content security policy. Entries that hold one of the allowed words are left out.
func (p *Page) Faults(allowed ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
next:
	for _, f := range p.faults {
		for _, a := range allowed {
			if strings.Contains(f, a) {
				continue next
			}
		}
		all = append(all, f)
	}
	return all
}

// Eval evaluates an expression in the page, waits for its promise if it is one, and decodes the
// value into out, which may be nil.
func (p *Page) Eval(t testing.TB, expression string, out any) {
	t.Helper()
	if err := p.eval(expression, out); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}

func (p *Page) eval(expression string, out any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	err := p.b.ask(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	switch {
	case err != nil:
		return err
	case r.ExceptionDetails != nil:
		return errors.New(r.ExceptionDetails.Exception.Description)
	case out == nil:
		return nil
	}
	return json.Unmarshal(r.Result.Value, out)
}

// Wait polls an expression until it is true, for as long as the browser's patience.
func (p *Page) Wait(t testing.TB, expression string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var yes bool
		if err = p.eval("!!("+expression+")", &yes); err == nil && yes {
			return
		}
	}
	var text string
	_ = p.eval("`${location.href} (${document.readyState})\n${document.body?.innerText}`", &text)
	t.Fatalf("never true: %s (%v); the page says:\n%s", expression, err, text)
}

// Picture is the whole page, however long, as a PNG.
func (p *Page) Picture(t testing.TB) []byte {
	t.Helper()
	// What is off the screen is not painted; in a picture all of it is.
	p.Eval(t, `(() => { const all = new CSSStyleSheet(); all.replaceSync("* { content-visibility: visible !important }"); document.adoptedStyleSheets.push(all); })()`, nil)
	defer p.Eval(t, `document.adoptedStyleSheets.pop() && 0`, nil)
	var shot struct{ Data string }
	err := p.b.ask(p.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	if err != nil {
		t.Fatal(err)
	}
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		t.Fatal(err)
	}
	return png
}
