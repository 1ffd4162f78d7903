package watch_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/credit"
	"github.com/pronto-pbx/pronto/firmware/credit/watch"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type network struct {
	t    *testing.T
	path string

	mu      sync.Mutex
	says    string
	fails   error
	asked   []string
	reports []string
}

func (n *network) open() *watch.Watch {
	n.t.Helper()
	w, err := watch.Open(watch.Config{
		Log: slog.New(slog.DiscardHandler), Path: n.path,
		SIMs: func() []watch.SIM {
			return []watch.SIM{{
				Line: "gsm0", Operator: credit.Operator{ID: "tim", Senders: []string{"TIM"}}, Ask: "*123#",
				Limits: credit.Limits{Below: 5 * tel.Euro, Days: 14},
			}, {Line: "gsm1", Limits: credit.Limits{Below: 5 * tel.Euro}}}
		},
		Ask: func(_ context.Context, l tel.LineID, code string) (string, error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.asked = append(n.asked, string(l)+" "+code)
			return n.says, n.fails
		},
		Report: func(text string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			if k := len(n.reports); k == 0 || n.reports[k-1] != text {
				n.reports = append(n.reports, text)
			}
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return w
}

func (n *network) seen() (asked int, reports []string) {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked), append([]string(nil), n.reports...)
}

func (n *network) set(says string, fails error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.says, n.fails = says, fails
}

func inside(t *testing.T, f func(t *testing.T, n *network)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credit.json")
	synctest.Test(t, func(t *testing.T) { f(t, &network{t: t, path: path}) })
}

func TestASIMIsAskedOnceADayAlsoThroughRestarts(t *testing.T) {
	inside(t, func(t *testing.T, n *network) {
		n.set("Credito 4,99 euro", nil)
		w := n.open()
		time.Sleep(23 * time.Hour)
		w.Now()
		if asked, reports := n.seen(); asked != 1 || !reflect.DeepEqual(reports, []string{"", "line gsm0: only 4.99 euros are left"}) {
			t.Errorf("asked %d times, said %q", asked, reports)
		}
		w.Close()
		n.set("Credito 20 euro", nil)
		w = n.open()
		if asked, _ := n.seen(); asked != 1 {
			t.Error("asked again by a restart")
		}
		time.Sleep(2 * time.Hour)
		if asked, reports := n.seen(); asked != 2 || reports[len(reports)-1] != "" {
			t.Errorf("the next day: asked %d times, said %q", asked, reports)
		}
		w.Close()
	})
}

func TestALineInACallIsAskedAfterIt(t *testing.T) {
	inside(t, func(t *testing.T, n *network) {
		n.set("", line.ErrBusy)
		w := n.open()
		time.Sleep(time.Hour)
		n.set("Credito 20 euro", nil)
		time.Sleep(6 * time.Minute)
		all, err := w.Known(t.Context())
		if err != nil || all["gsm0"].Amount != 20*tel.Euro {
			t.Errorf("%+v %v", all, err)
		}
		asked, _ := n.seen()
		time.Sleep(12 * time.Hour)
		if again, _ := n.seen(); again != asked {
			t.Error("asked again on the same day")
		}
		w.Close()
	})
}

func TestANetworkThatDoesNotAnswerIsAskedOnceADayToo(t *testing.T) {
	inside(t, func(t *testing.T, n *network) {
		n.set("", line.ErrTimeout)
		w := n.open()
		time.Sleep(71 * time.Hour)
		if asked, _ := n.seen(); asked != 3 {
			t.Errorf("asked %d times in three days", asked)
		}
		w.Close()
	})
}

func TestMessagesOfTheOperatorTellTheCreditAndThoseOfOthersDoNot(t *testing.T) {
	inside(t, func(t *testing.T, n *network) {
		n.set("Credito 20 euro, scade il 31/12/2099", nil)
		w := n.open()
		synctest.Wait()
		w.Heard("gsm0", "Amico", "Il tuo credito residuo e' 0,10 euro")
		w.Heard("gsm0", "TIM", "Ciao! Oggi una grande offerta a 5 euro")
		if _, reports := n.seen(); reports[len(reports)-1] != "" {
			t.Errorf("said %q", reports)
		}
		w.Heard("gsm0", "TIM", "Il tuo credito residuo e' 0,10 euro")
		w.Heard("gsm1", "", "Credito: 1 euro")
		if _, reports := n.seen(); reports[len(reports)-1] != "line gsm0: only 0.10 euros are left; line gsm1: only 1.00 euros are left" {
			t.Errorf("said %q", reports)
		}
		if all, err := w.Known(t.Context()); err != nil || all["gsm0"].Expires.Year() != 2099 {
			t.Errorf("the day is forgotten: %+v %v", all, err)
		}
		w.Close()
	})
}
