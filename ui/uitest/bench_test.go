package uitest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
)

// renderers is the processor time that the browser's renderers have used, in seconds.
func (b *Browser) renderers(t testing.TB) (seconds float64) {
	t.Helper()
	var all struct {
		ProcessInfo []struct {
			Type    string
			CPUTime float64
		}
	}
	if err := b.ask("", "SystemInfo.getProcessInfo", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all.ProcessInfo {
		if p.Type == "renderer" {
			seconds += p.CPUTime
		}
	}
	return seconds
}

// spent is how long the page's main thread was busy with what, in seconds, since it began.
func spent(t testing.TB, p *Page) map[string]float64 {
	t.Helper()
	var r struct {
		Metrics []struct {
			Name  string
			Value float64
		}
	}
	if err := p.b.ask(p.session, "Performance.getMetrics", nil, &r); err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, m := range r.Metrics {
		all[m.Name] = m.Value
	}
	return all
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkFirstPaint opens the live page of 60 agents on a telephone whose processor is six times slower than this
// machine's, nine times in turn with a reference: the same page without its script and style, which is what a
// browser needs for as much text, whoever wrote the page.
func BenchmarkFirstPaint(b *testing.B) {
	for b.Loop() {
		browser := Start(b)
		o := serve(b, boxAddress(), Crowd(60, time.Now()))
		parts := regexp.MustCompile(`(?s)<(?:script|link)[^>]*>(?:</script>)?| data-live="[^"]*"`)
		bare := serveTo(b, boxAddress(), Crowd(60, time.Now()), func(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
			h := signedIn(t, words, hub)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&without{w, parts}, r) })
		})
		p := browser.Open(b, "data:text/html,empty", Look{Width: 390, Height: 844})
		p.do(b, "Network.enable", nil)
		p.do(b, "Network.setCacheDisabled", map[string]any{"cacheDisabled": true})
		p.do(b, "Emulation.setCPUThrottlingRate", map[string]any{"rate": 6})
		painted := map[string][]float64{}
		for range 9 {
			for name, at := range map[string]*office{"page": o, "reference": bare} {
				painted[name] = append(painted[name], paintedAt(b, p, at.url("?lang=it")))
			}
		}
		page, reference := median(painted["page"]), median(painted["reference"])
		b.Logf("machine: %d cores; first paint of 60 agents at 6x CPU throttle, 390 px: %.0f ms, the same text without style and script %.0f ms", runtime.NumCPU(), page, reference)
		b.ReportMetric(page, "page-ms")
		b.ReportMetric(reference, "reference-ms")
	}
}

// without leaves something out of a page on its way.
type without struct {
	http.ResponseWriter
	what *regexp.Regexp
}

// Write implements io.Writer.
func (w *without) Write(p []byte) (int, error) {
	_, err := w.ResponseWriter.Write(w.what.ReplaceAll(p, nil))
	return len(p), err
}

// paintedAt opens an address with nothing in store, and tells after how many ms something was seen.
func paintedAt(b *testing.B, p *Page, url string) (ms float64) {
	b.Helper()
	p.do(b, "Page.navigate", map[string]any{"url": "data:text/html,empty"})
	p.Wait(b, `location.protocol === "data:"`)
	p.do(b, "Page.navigate", map[string]any{"url": url})
	p.Wait(b, `location.protocol === "http:" && document.readyState === "complete" && performance.getEntriesByName("first-contentful-paint").length`)
	p.Eval(b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`, &ms)
	return ms
}

// BenchmarkWallboard leaves the live page of 60 agents open, as wide as a telephone, while each fifth of a second six of them and two queues
// change, for ten seconds after the page has settled. The bar is 43 ms of the renderer's CPU per second. The
// reference is the same page without its script, whose tiles are changed in place by the shortest program that can:
// what is left is painting.
func BenchmarkWallboard(b *testing.B) {
	const rounds = 50
	for b.Loop() {
		browser := Start(b)
		o := serve(b, boxAddress(), Crowd(60, time.Now()))
		p := browser.Open(b, o.url("?lang=it"), Look{Width: 390, Height: 844, Still: true})
		p.Wait(b, isLive)
		p.do(b, "Performance.enable", map[string]any{"timeDomain": "threadTicks"})
		states := tel.AgentStates()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		var before float64
		var at map[string]float64
		var began time.Time
		for i := range rounds + 25 {
			if i == 25 {
				before, at, began = browser.renderers(b), spent(b, p), time.Now()
			}
			var all []tel.Event
			for a := range 6 {
				id := tel.AgentID(fmt.Sprintf("agent%d", (i*6+a)%60+1))
				all = append(all, tel.AgentChanged{Agent: id, Name: "Operatore", State: states[(i+a)%len(states)], Since: time.Now()})
			}
			for _, q := range []tel.QueueID{"sales", "support"} {
				call := tel.CallID(fmt.Sprintf("%s%d", q, i))
				all = append(all, tel.QueueJoined{Queue: q, Call: call, Caller: "+390612345678", At: time.Now()},
					tel.QueueLeft{Queue: q, Call: tel.CallID(fmt.Sprintf("%s%d", q, i-3))})
			}
			<-tick.C
			o.push(b, all...)
		}
		seconds := time.Since(began).Seconds()
		used, is := (browser.renderers(b)-before)*1000/seconds, spent(b, p)
		part := func(name string) float64 { return (is[name] - at[name]) * 1000 / seconds }
		p.Wait(b, `document.getElementById("wait-sales`+fmt.Sprint(rounds+24)+`")`) // it has seen it all
		painting := byHand(b)
		b.Logf("machine: %d cores; wallboard of 60 agents at 5 Hz: %.1f ms of renderer CPU per second (bar 43), reference %.1f: script %.1f, style %.1f, layout %.1f, other tasks of the page %.1f",
			runtime.NumCPU(), used, painting, part("ScriptDuration"), part("RecalcStyleDuration"), part("LayoutDuration"),
			part("TaskDuration")-part("ScriptDuration")-part("RecalcStyleDuration")-part("LayoutDuration"))
		b.ReportMetric(used, "cpu-ms/s")
		b.ReportMetric(painting, "reference-cpu-ms/s")
	}
}

// byHand is the reference of BenchmarkWallboard: ms of renderer CPU per second, over ten seconds.
func byHand(b *testing.B) float64 {
	b.Helper()
	browser := Start(b)
	o := serve(b, boxAddress(), Crowd(60, time.Now()))
	p := browser.Open(b, o.url("?lang=it"), Look{Width: 390, Height: 844, Still: true, NoScript: true})
	p.Wait(b, `document.querySelectorAll(".tile").length === 60`)
	p.do(b, "Emulation.setScriptExecutionDisabled", map[string]any{"value": false})
	p.Eval(b, `(() => {
		const tiles = [...document.querySelectorAll(".tile")], states = tiles.map((t) => t.className), counts = [...document.querySelectorAll(".count strong")];
		let i = 0;
		setInterval(() => {
			for (let a = 0; a < 6; a++) {
				const t = tiles[(i * 6 + a) % 60];
				t.className = states[(i + a) % 60];
				t.querySelector(".what span").textContent = "Operatore " + i;
			}
			for (const c of counts) c.textContent = i % 4;
			document.body.dataset.round = ++i;
		}, 200);
	})()`, nil)
	p.Wait(b, `document.body.dataset.round > 25`)
	before, began := browser.renderers(b), time.Now()
	p.Wait(b, `document.body.dataset.round > 75`)
	return (browser.renderers(b) - before) * 1000 / time.Since(began).Seconds()
}

// BenchmarkViewers has 40 browsers follow an office of 60 agents in which something changes five times a second, and
// tells what they add to prontod's memory. The bar is 8 MB.
func BenchmarkViewers(b *testing.B) {
	programs := os.Getenv(insideEnv)
	if programs == "" {
		b.Skip("left out: only root can make the network of this measurement")
	}
	for b.Loop() {
		o := pbxtest.BenchAt(programs).Start(b, pbxtest.Setup{Agents: 60, LoggedIn: 60, Page: netip.MustParseAddr(theBox)})
		v := o.Claim() // who sees most: an owner, in the clear
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var all sync.WaitGroup
		defer all.Wait()
		defer cancel()
		all.Go(func() { unrest(ctx, b, o) })
		for range 8 { // what the hash of the password took is given back within a minute
			resident(o)
		}
		rest := resident(o)
		cookie := v.Cookie()
		seen := make(chan int, 40)
		for range 40 {
			all.Go(func() { follow(ctx, b, o, cookie, seen) })
		}
		for range 40 {
			<-seen
		}
		added := float64(resident(o)-rest) / (1 << 20)
		b.Logf("machine: %d cores; prontod with 60 agents at 5 Hz: %.1f MB, 40 viewers add %.1f MB (bar 8)", runtime.NumCPU(), float64(rest)/(1<<20), added)
		b.ReportMetric(added, "MB")
	}
}

// unrest pauses agents in turn, five times a second, until ctx ends.
func unrest(ctx context.Context, b *testing.B, o *pbxtest.Office) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for a := range 6 {
			do := []string{"pause", "resume"}[i/10%2]
			_, status, err := control.Ask(ctx, o.Dir, http.MethodPost, fmt.Sprintf("/agents/agent%d/%s", 201+(i*6+a)%60, do))
			if ctx.Err() == nil && (err != nil || status >= http.StatusInternalServerError) {
				b.Errorf("%s: %d %v", do, status, err)
				return
			}
		}
	}
}

// resident is the middle of what prontod's memory is over ten seconds: it breathes.
func resident(o *pbxtest.Office) int64 {
	var all []int64
	for range 50 {
		time.Sleep(200 * time.Millisecond)
		all = append(all, o.Resident())
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// follow reads the stream of the live page until ctx ends; the first change is told to seen.
func follow(ctx context.Context, b *testing.B, o *pbxtest.Office, cookie *http.Cookie, seen chan<- int) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.Web+"/live?lang=it", nil)
	if err != nil {
		b.Error(err)
		return
	}
	req.AddCookie(cookie)
	res, err := transport.RoundTrip(req)
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	parts := 0
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "event: part") {
			if parts++; parts == 20 {
				seen <- parts
			}
		}
		if err != nil {
			if ctx.Err() == nil && err != io.EOF {
				b.Error(err)
			}
			return
		}
	}
}
