package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/view"
)

var rome = time.FixedZone("CET", 3600)

// archive is a record keeper that can be away.
type archive struct {
	memory.Store
	away error
}

func (a *archive) ListCalls(ctx context.Context, q store.CallQuery) (store.Page[store.Call], error) {
	if a.away != nil {
		return store.Page[store.Call]{}, a.away
	}
	return a.Store.ListCalls(ctx, q)
}

func (a *archive) ListCallbacks(ctx context.Context, q store.CallbackQuery) (store.Page[store.Callback], error) {
	if a.away != nil {
		return store.Page[store.Callback]{}, a.away
	}
	return a.Store.ListCallbacks(ctx, q)
}

func (a *archive) ListMissed(ctx context.Context, q store.MissedQuery) (store.Page[store.Missed], error) {
	if a.away != nil {
		return store.Page[store.Missed]{}, a.away
	}
	return a.Store.ListMissed(ctx, q)
}

// sold is a call that waited for Anna, was transferred, and was listened to.
var sold = tel.CallEnded{
	Call: "c1", Direction: tel.Inbound, From: "+390612345679", To: "+390698765432", In: "trunk:tim", Out: "phone:201", Queue: "sales", Agent: "anna", DivertedBy: "+390211111111",
	Started: at, Answered: at.Add(40 * time.Second), Ended: at.Add(160 * time.Second), Cause: tel.CauseNormal, EndedBy: "caller", Recovered: true,
	Moves: []tel.Move{
		{At: at.Add(100 * time.Second), Kind: tel.MoveBlind, By: "phone:201", Party: "trunk:tim", To: "202"},
		{At: at.Add(110 * time.Second), Kind: tel.MoveForward, By: "phone:202", To: "203", Why: tel.DivertBusy},
	},
	Media: []tel.LegNote{
		{Party: "trunk:tim", Codec: "pcma", Received: 6000, Lost: 3, Sound: tel.LegSound{Heard: 4.38, Hears: 3.7}},
		{Party: "phone:201", Codec: "g722", Received: 5990, Lost: 300, Sound: tel.LegSound{Heard: 2.1, Trouble: tel.SoundBursts, Place: tel.SoundAtPhone}},
	},
	Machine:    tel.MachineFax,
	Supervised: []tel.Supervision{{By: "bruno", Agent: "anna", Mode: tel.SuperviseListen, From: at.Add(50 * time.Second)}},
}

// aStory is the page of the call that was sold.
var aStory = "/calls/c1?at=" + url.QueryEscape(at.Format(time.RFC3339Nano))

// filed is the archive of an office: a call of sales, one of help, one nobody answered, one from a phone, one a day later.
func filed(t *testing.T) *archive {
	t.Helper()
	a := &archive{}
	calls := []tel.CallEnded{
		sold,
		{Call: "c2", Direction: tel.Inbound, From: "+393331234567", To: "400", In: "line:gsm0", Queue: "help", Started: at.Add(time.Hour), Ended: at.Add(time.Hour + time.Minute), Cause: tel.CauseCancelled},
		{Call: "c3", Direction: tel.Outbound, From: "201", To: "+39021234567", In: "phone:201", Agent: "anna", Started: at.Add(2 * time.Hour), Ended: at.Add(2*time.Hour + time.Minute), Cause: tel.CauseBusy},
		{Call: "c4", Direction: tel.Internal, From: "201", To: "202", In: "phone:201", Agent: "bruno", Started: at.Add(23*time.Hour + 30*time.Minute), Answered: at.Add(23*time.Hour + 31*time.Minute), Ended: at.Add(24 * time.Hour), Cause: tel.CauseNormal},
		{Call: hostile, Direction: tel.Inbound, From: hostile, To: hostile, In: "trunk:" + hostile, Queue: "sales", Started: at.Add(3 * time.Hour), Ended: at.Add(4 * time.Hour), Cause: tel.CauseNoAnswer},
	}
	waits := []tel.QueueLeft{
		{Queue: "help", Call: "c1", Caller: sold.From, Joined: at.Add(-time.Minute), Arrived: at.Add(time.Second), Left: at.Add(20 * time.Second), Outcome: tel.OutcomeTimedOut, Offers: 2, Rang: []tel.AgentID{"carla"}, To: "queue:sales"},
		{Queue: "sales", Call: "c1", Caller: sold.From, Joined: at.Add(20 * time.Second), Left: at.Add(40 * time.Second), Outcome: tel.OutcomeAnswered, Agent: "anna", Offers: 2, Rang: []tel.AgentID{"bruno", "anna"}},
		{Queue: "sales", Call: "other", Caller: sold.From, Joined: at.Add(-time.Hour), Left: at, Outcome: tel.OutcomeAbandoned},
	}
	var err []error
	for i, c := range calls {
		err = append(err, a.PutCalls(t.Context(), store.Call{Pos: store.Position(i + 1), CallEnded: c}))
	}
	for i, w := range waits {
		err = append(err, a.PutWaits(t.Context(), store.Wait{Pos: store.Position(i + 100), QueueLeft: w}))
	}
	err = append(err, a.PutCallbacks(t.Context(), store.Callback{Pos: 200, CallbackChanged: tel.CallbackChanged{
		Callback: "cb", Queue: "sales", State: tel.CallbackEnded, Outcome: tel.CallbackUnreached, Number: "+393401112223", Name: hostile, Asked: at, Attempts: 3, Agent: "anna",
	}}))
	err = append(err, a.PutMissed(t.Context(),
		store.Missed{Pos: 300, MissedChanged: tel.MissedChanged{Number: "+393472223334", Name: hostile, Queue: "help", Calls: 2, First: at, Last: at, Why: tel.MissedRefused, Closed: tel.MissedCalledBack, By: "bruno"}},
		store.Missed{Pos: 301, MissedChanged: tel.MissedChanged{Number: "+393472220000", Queue: "sales", Calls: 1, First: at.Add(time.Hour), Last: at, Why: tel.MissedAbandoned}},
	))
	if e := errors.Join(err...); e != nil {
		t.Fatal(e)
	}
	return a
}

// listed are the calls that a page lists, by the links to their stories.
func shown(body string) (ids []string) {
	for _, id := range []string{"c1", "c2", "c3", "c4", url.PathEscape(hostile)} {
		if strings.Contains(body, `href="/calls/`+id+"?") || strings.Contains(body, "/calls/%3Cscript%3E") && strings.HasPrefix(id, "%3Cscript") {
			if strings.HasPrefix(id, "%") {
				id = "hostile"
			}
			ids = append(ids, id)
		}
	}
	return ids
}

func TestCallsAreFoundByWhatOneKnowsOfThem(t *testing.T) {
	s := office(t)
	for query, want := range map[string]string{
		"":                                      "c1 c2 c3 c4 hostile",
		"?number=06+1234+5679":                  "c1", // as people write it
		"?number=%2B390612345679":               "c1",
		"?number=021234567":                     "c3",
		"?number=202":                           "c4",
		"?queue=help":                           "c2",
		"?person=anna":                          "c1 c3",
		"?person=anna&result=answered":          "c1",
		"?result=unanswered":                    "c2 c3 hostile",
		"?result=out":                           "c3",
		"?result=internal":                      "c4",
		"?from=2026-03-03":                      "c4", // 23:30 in London is the next day in Rome
		"?to=2026-03-02":                        "c1 c2 c3 hostile",
		"?from=2026-03-03&to=2026-03-02":        "",
		"?number=%2B3999":                       "",
		"?queue=sales&person=anna&result=in":    "c1",
		"?from=2026-03-02&to=2026-03-02&lang=x": "c1 c2 c3 hostile",
	} {
		status, body := s.get("/calls" + query)
		if got := strings.Join(shown(body), " "); status != http.StatusOK || got != want {
			t.Errorf("%s: %d, %q, want %q", query, status, got, want)
		}
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%s: a number became markup", query)
		}
	}
}

func TestAFilterThatMakesNoSenseIsLeftOutAndSaid(t *testing.T) {
	s := office(t)
	for query, want := range map[string]string{
		"from=yesterday": "filter.day_bad", "to=2026-02-30": "filter.day_bad", "number=" + url.QueryEscape(hostile): "filter.number_bad",
		"queue=none": "filter.queue_bad", "person=" + url.QueryEscape(hostile): "filter.person_bad", "result=everything": "filter.result_bad",
	} {
		status, body := s.get("/calls?lang=en&" + query)
		if status != http.StatusOK || !strings.Contains(body, want) || len(shown(body)) != 5 || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d, %v, or not said", query, status, shown(body))
		}
		if status, _ := s.get("/calls.csv?" + query); status != http.StatusBadRequest {
			t.Errorf("a table of %s: %d", query, status)
		}
	}
	if status, body := s.get("/calls?after=%21&lang=en"); status != http.StatusServiceUnavailable || !strings.Contains(body, "records.away") {
		t.Errorf("a cursor that is none: %d", status)
	}
}

func TestEveryRecordIsOnOnePageOfTheList(t *testing.T) {
	s := office(t)
	for i := range 130 {
		c := tel.CallEnded{Call: tel.CallID(fmt.Sprintf("n%03d", i)), Direction: tel.Inbound, From: "+390655555555", Queue: "help", Started: at.Add(time.Duration(i) * time.Second), Ended: at.Add(time.Hour)}
		if err := s.records.PutCalls(t.Context(), store.Call{Pos: store.Position(1000 + i), CallEnded: c}); err != nil {
			t.Fatal(err)
		}
	}
	seen, path, pages := map[string]int{}, "/calls?number=0655555555&lang=en", 0
	for path != "" {
		if pages++; pages > 5 {
			t.Fatal("no last page")
		}
		_, body := s.get(path)
		for i := range 130 {
			id := fmt.Sprintf("n%03d", i)
			seen[id] += strings.Count(body, `href="/calls/`+id+"?")
		}
		path = ""
		for line := range strings.Lines(body) {
			if _, rest, ok := strings.Cut(line, `href="/calls?after=`); ok {
				rest, _, _ = strings.Cut("/calls?after="+rest, `"`)
				path = strings.ReplaceAll(rest, "&amp;", "&")
			}
		}
		if strings.Contains(body, "The newest") != (pages > 1) {
			t.Errorf("page %d and the way to the newest", pages)
		}
	}
	if pages != 3 || len(seen) != 130 {
		t.Errorf("%d records on %d pages", len(seen), pages)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is shown %d times", id, n)
		}
	}
}

func TestASupervisorSeesTheCallsOfTheOwnQueuesOnly(t *testing.T) {
	s := ofSales(t)
	get := func(path string) (int, string) {
		w := s.do(ask{method: http.MethodGet, path: path, as: access.Supervisor})
		return w.Code, w.Body.String()
	}
	for _, query := range []string{"", "?queue=help", "?queue=", "?queue=sales", "?result=answered&queue=help"} {
		if _, body := get("/calls" + query); slices.ContainsFunc(shown(body), func(id string) bool { return id != "c1" && id != "hostile" }) {
			t.Errorf("%q shows %v", query, shown(body))
		}
	}
	if _, body := get("/calls.csv"); strings.Contains(body, "393331234567") || !strings.Contains(body, "390612345679") {
		t.Errorf("the table: %s", body)
	}
	if status, _ := get(aStory); status != http.StatusOK {
		t.Errorf("the story of the own: %d", status)
	}
	if status, body := get("/calls/c2?at=" + url.QueryEscape(at.Add(time.Hour).Format(time.RFC3339Nano))); status != http.StatusForbidden || strings.Contains(body, "393331234567") {
		t.Errorf("the story of another's: %d", status)
	}
	for tab, secret := range map[string]string{"missed": "393472223334", "callbacks": "nothing"} {
		if _, body := get("/calls/" + tab); strings.Contains(body, secret) {
			t.Errorf("%s of others are shown", tab)
		}
	}
}

func TestACallIsToldFromItsLineToItsEnd(t *testing.T) {
	s := office(t)
	status, body := s.get(aStory + "&lang=en")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	last := 0
	for _, want := range []string{
		"Came in over TIM", "forwarded by &#43;390211111111", "In queue: Aiuto", "with the place of 09:59:00", "Rings at Carla", "Waited too long: 19s", "sent on to queue:sales",
		"In queue: Vendite", "Rings at Bruno", "Rings at Anna", "Anna answers", "waited 20s", "Bruno listens to Anna", "Anna transfers to 202",
		"Forwarded by Bruno to 203", "busy", "End: ended normally", "the switchboard restarted", "talked 2m0s", "the caller hung up", "pcma", "6000",
	} {
		i := strings.Index(body[last:], want)
		if i < 0 {
			t.Fatalf("%q does not follow in %s", want, body[last:])
		}
		last += i
	}
	for path, want := range map[string]int{
		"/calls/c1": http.StatusNotFound, "/calls/c1?at=noon": http.StatusNotFound, "/calls/c9?at=" + url.QueryEscape(at.Format(time.RFC3339Nano)): http.StatusNotFound,
		"/calls/" + url.PathEscape(hostile) + "?at=" + url.QueryEscape(at.Add(3*time.Hour).Format(time.RFC3339Nano)): http.StatusOK,
	} {
		if status, body := s.get(path); status != want || strings.Contains(body, "<script>alert") || strings.Contains(body, "⟦") {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestTheOtherLanguageShowsTheSame(t *testing.T) {
	s := office(t)
	other := regexp.MustCompile(`<p class="tongue"><a href="([^"]+)"`)
	for _, path := range []string{aStory, "/calls?number=0612345679&result=answered", "/calls/missed?queue=help", "/calls"} {
		_, body := s.get(path + in(path, "en"))
		m := other.FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("%s: no other language", path)
		}
		status, there := s.get(html.UnescapeString(m[1]))
		if status != http.StatusOK || !strings.Contains(there, `<html lang="it"`) || !slices.Equal(shown(there), shown(body)) || strings.Count(there, "<li><time>") != strings.Count(body, "<li><time>") {
			t.Errorf("%s: %d at %s, and something else", path, status, m[1])
		}
	}
}

// Whatever can be in a record has its words, in both languages.
func TestEveryRecordHasItsWords(t *testing.T) {
	var keys []string
	for c := range tel.CauseAnonymous + 1 {
		keys = append(keys, "ended."+c.String())
	}
	if name := (tel.CauseAnonymous + 1).String(); !strings.HasPrefix(name, "cause_") {
		t.Errorf("%s is a cause that this test does not know of", name)
	}
	for _, tab := range []string{page.TabCalls, page.TabCallbacks, page.TabMissed} {
		keys = append(keys, "calls.tab."+tab)
		for _, r := range results(tab) {
			keys = append(keys, "result."+tab+"."+r)
		}
	}
	for _, o := range []tel.QueueOutcome{
		tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeCallback, tel.OutcomeWithdrawn, tel.OutcomeFailed, tel.OutcomeRefused, tel.OutcomeOverflow,
	} {
		keys = append(keys, "story.left."+string(o))
	}
	for _, m := range []tel.MoveKind{tel.MoveBlind, tel.MoveReturned, tel.MoveInto, tel.MoveReplaced, tel.MoveParked, tel.MoveFetched, tel.MovePickup, tel.MoveForward, tel.MoveTakenOver, tel.MoveSeated, tel.MoveUnseated} {
		keys = append(keys, "story.move."+string(m))
	}
	for _, d := range []tel.Diversion{tel.DivertAlways, tel.DivertBusy, tel.DivertNoAnswer, tel.DivertUnreachable, tel.DivertDoNotDisturb} {
		keys = append(keys, "story.why."+string(d))
	}
	for _, m := range tel.SupervisionModes() {
		keys = append(keys, "story.watched."+string(m))
	}
	for _, d := range []tel.Direction{tel.Inbound, tel.Outbound, tel.Internal} {
		keys = append(keys, "story.began."+string(d))
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if !cat.Has(k) {
				t.Errorf("%s lacks %s", lang, k)
			}
		}
	}
}

func TestAnArchiveThatIsAwayIsSaidAndTheCallsOfNowAreShown(t *testing.T) {
	s := owned(t, newHub(t, func() *view.Model {
		m := emptyOffice()
		m.Apply(tel.CallChanged{Call: "up", Stage: tel.StageTalking, From: "+390677777777", Since: at})
		return m
	}))
	s.records.away = store.ErrUnavailable
	for _, path := range []string{"/calls", "/calls/callbacks", "/calls/missed", aStory, "/calls.csv"} {
		status, body := s.get(path + in(path, "en"))
		if status != http.StatusServiceUnavailable || !strings.Contains(body, "Calls go on and nothing is lost") {
			t.Errorf("%s: %d, or not said in its parts", path, status)
		}
		if path == "/calls" && !strings.Contains(body, "390677777777") {
			t.Error("the call that is up is not shown")
		}
	}
}

func TestATableOfCallsStartsNoFormulaInAnySpreadsheet(t *testing.T) {
	s := office(t)
	evil := tel.CallEnded{Call: "evil", Direction: tel.Inbound, From: "=1+2", To: `x;=HYPERLINK("http://evil.example")`, In: "trunk:a\t@b", Queue: "q,+1", Agent: "a\n-1", Started: at, Ended: at}
	if err := s.records.PutCalls(t.Context(), store.Call{Pos: 9, CallEnded: evil}); err != nil {
		t.Fatal(err)
	}
	for sep, comma := range map[string]rune{"semicolon": ';', "comma": ','} {
		w := s.do(ask{method: http.MethodGet, path: "/calls.csv?lang=it&sep=" + sep, as: access.Owner})
		body := strings.TrimPrefix(w.Body.String(), "\ufeff")
		if strings.HasPrefix(w.Body.String(), "\ufeff") != (sep == "semicolon") || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: not as spreadsheets of its kind read it", sep)
		}
		r := csv.NewReader(strings.NewReader(body))
		r.Comma = comma
		rows, err := r.ReadAll()
		if err != nil || len(rows) != 7 || rows[0][0] != "Quando" || len(rows[0]) != 11 {
			t.Fatalf("%s: %v %v", sep, rows, err)
		}
		for _, other := range []rune{';', ',', '\t', '|'} { // who opens it with another separator
			for _, piece := range strings.FieldsFunc(body, func(r rune) bool { return r == other || r == '\n' || r == comma }) {
				if piece = strings.TrimLeft(piece, ` "`); piece != "" && strings.ContainsRune("=+-@", rune(piece[0])) {
					t.Errorf("%s read with %q: %q", sep, other, piece)
				}
			}
		}
	}
}

func FuzzExportCell(f *testing.F) {
	for _, s := range []string{"=1", "a;=1", `"=1`, "+39", " -1", "a\r\n@x", ";;=", "'=1", "\xff=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		got := exportCell(cell)
		for _, piece := range strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune(",;\t|\r\n", r) }) {
			if piece = strings.TrimLeft(piece, ` "`); piece != "" && strings.ContainsRune("=+-@", rune(piece[0])) {
				t.Fatalf("%q gives %q", cell, got)
			}
		}
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(strings.ToValidUTF8(cell, "\ufffd"), "'", "") && strings.ToValidUTF8(cell, "") == cell {
			t.Fatalf("%q became %q", cell, got)
		}
	})
}

// What stands in an address never breaks the list, and what was understood of it is what its links say.
func FuzzFilter(f *testing.F) {
	f.Add("from=2026-03-02&number=06%201234&queue=sales&result=answered&after=abc")
	f.Add("from=9999-99-99&to=0000-01-01&number=%00")
	office, err := settingstest.New(settingstest.Office)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		s := &server{Config: Config{
			Settings: office.Port(), Zone: func() *time.Location { return rome }, People: func() []page.Person { return nil }, Queues: func() []page.Choice { return []page.Choice{{ID: "sales"}} },
		}}
		u, err := url.Parse("/calls")
		if err != nil {
			t.Fatal(err)
		}
		u.RawQuery = query
		v := &visit{Request: &http.Request{URL: u}, user: access.User{Role: access.Owner}}
		first := s.listed(v, page.TabCalls)
		u.RawQuery = first.Filter.Values().Encode()
		again := s.listed(v, page.TabCalls)
		if again.Filter != first.Filter || len(again.Wrong) > 0 || !slices.Equal(again.numbers, first.numbers) || !again.span.From.Equal(first.span.From) {
			t.Fatalf("%q is understood as %+v, and that as %+v %v", query, first.Filter, again.Filter, again.Wrong)
		}
	})
}

func TestPagesOfCallsLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		for name, path := range map[string]string{
			"calls": "/calls?", "calls-found": "/calls?number=0612345679&from=2026-03-02&", "calls-none": "/calls?number=999&", "calls-callbacks": "/calls/callbacks?", "calls-missed": "/calls/missed?",
			"calls-story": aStory + "&",
		} {
			_, body := s.get(path + "lang=" + lang)
			look(t, lang, name, body)
		}
		s.records.away = store.ErrUnavailable
		_, body := s.get("/calls?lang=" + lang)
		look(t, lang, "calls-away", body)
	}
	all := spoken(t)
	who := page.Reader{Name: "sara", Role: access.Supervisor, Path: "/missed"}
	lost := page.Missed{
		MissedChanged: tel.MissedChanged{Number: "+393331234567", Name: hostile, Queue: "sales", Calls: 2, Last: at, Waited: time.Minute, Why: tel.MissedAbandoned}, QueueName: hostile, May: true,
	}
	now := at.Add(25 * time.Minute)
	for lang, r := range all {
		for name, render := range map[string]func() ([]byte, error){
			"missed": func() ([]byte, error) {
				return r.MissedCallers(page.MissedCallers{Box: "Bottega", Reader: who, Missed: []page.Missed{lost}}, now)
			},
			"missed-none": func() ([]byte, error) { return r.MissedCallers(page.MissedCallers{Box: "Bottega", Reader: who}, now) },
			"dismissing": func() ([]byte, error) {
				return r.Dismissing(page.Dismissing{Box: "Bottega", Reader: who, Said: page.Said{Sentence: "missed.gone"}, Missed: lost}, now)
			},
		} {
			t.Run(lang+" "+name, func(t *testing.T) { reviewed(t, lang+"-"+name, render) })
		}
	}
}
