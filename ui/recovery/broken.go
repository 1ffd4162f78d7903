package recovery

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ui/asset"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Trouble is why the exchange does not run.
type Trouble struct {
	Box     string   // its id
	Refused bool     // it asked not to be started again
	Tries   int      // how often it was started in vain
	Lines   []string // that it wrote last, the oldest first
}

// Broken answers for an exchange that does not run: every path says what is wrong. look is called for each
// request, by its goroutine. language is that of a visitor who asks for none.
func Broken(look func() Trouble, language string) (http.Handler, error) {
	pages, err := page.All()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /asset/", http.StripPrefix("/asset/", http.FileServerFS(asset.Files)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p := pages[front.Language(r)]
		if p == nil {
			p = pages[language]
		}
		t := look()
		x := page.Broken{Box: t.Box, Said: page.Said{Sentence: "outage.crashing", Args: []any{t.Tries}, At: time.Now()}}
		if t.Refused {
			x.Said.Sentence, x.Said.Args = "outage.refused", nil
		}
		if near(r.RemoteAddr) {
			x.Log = Telling(t.Lines)
		}
		html, err := p.Broken(x, time.Now())
		if r.Method == http.MethodGet {
			w.Header().Set("Refresh", "10")
		}
		w.Header().Set("Retry-After", "10")
		write(w, http.StatusServiceUnavailable, html, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front.Admit(w, r) {
			w.Header().Set("Cache-Control", "no-store")
			mux.ServeHTTP(w, r)
		}
	}), nil
}

// near tells whether a visitor is in a network of people's own: nobody else is shown what the box writes.
func near(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := a.Addr().Unmap()
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
}

// mostLines is how many lines a page shows.
const mostLines = 20

// Telling takes the lines that tell of trouble out of a log: warnings, errors, and what a program writes when
// it gives up. What happened in the office is nobody's business here.
func Telling(lines []string) (some []string) {
	for _, l := range lines {
		if !strings.Contains(l, "level=INFO") && !strings.Contains(l, "level=DEBUG") && strings.TrimSpace(l) != "" {
			some = append(some, strings.ToValidUTF8(l, "?"))
		}
	}
	return some[max(0, len(some)-mostLines):]
}
