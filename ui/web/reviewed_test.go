package web

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
)

// faces are the reviewed pages of a route, by the ends of their names in testdata.
type faces struct {
	full  string
	empty string // the same with nothing to show
	wrong string // what is said there when something is wrong
}

// Why a page has no such face.
const (
	never    = "(never empty)"     // it shows what every box has
	notFound = "box-full-nothing"  // of what is not there the page of a missing thing is shown
	refusals = "refusal"           // an order that is refused has the page of refusals, as TestEveryRefusalHasASentence
	asks     = "(asks nothing)"    // nothing can be sent from it
	onPage   = "(beside its form)" // as of all forms: TestEveryFieldSaysWhatIsWrongWithIt
)

// everyFace is what a person has looked at of every route that shows a page.
func everyFace() map[string]faces {
	return map[string]faces{
		"/{$}":                        {"full", "empty", "box-error-away"},
		"/codes":                      {"box-full-codes", never, asks},
		"/waiting/{call}":             {"caller", "caller-alone", refusals},
		"/callbacks":                  {"callbacks", "callbacks-none", refusals},
		"/callbacks/{callback}":       {"dropping", notFound, refusals},
		"/calls":                      {"box-calls", "box-calls-none", "box-calls-away"},
		"/calls/callbacks":            {"box-calls-callbacks", "callbacks-none", "box-calls-away"},
		"/calls/missed":               {"box-calls-missed", "missed-none", "box-calls-away"},
		"/calls/{call}":               {"box-calls-story", "box-calls-recorded", refusals},
		"/calls/{call}/sip":           {"trace", notFound, asks},
		"/reports":                    {"report", "report-empty", "report-wrong"},
		"/reports/staffing":           {"staffing", "staffing-none", "staffing-wrong"},
		"/reports/whatif":             {"whatif", "whatif-none", "whatif-wrong"},
		"/missed":                     {"missed", "missed-none", refusals},
		"/missed/{caller}":            {"dismissing", notFound, refusals},
		"/agents/{agent}":             {"agent", "agent-foreign", refusals},
		"/me":                         {"me", "me-out", refusals},
		"/me/code":                    {"onetime", never, "refusal"},
		"/phone":                      {"phone", "phone-quiet", "phone-heard"},
		"/users":                      {"users", never, "refusal"},
		"/queues":                     {"box-full-queues", "box-empty-queues", "box-error-needed"},
		"/queues/new":                 {"box-full-queues-new", "box-empty-queues-new", "box-error-new"},
		"/queues/{id}":                {"box-full-queues-sales", notFound, "box-error-queue"},
		"/queues/{id}/skills":         {"box-skills", notFound, "box-skills-wrong"},
		"/queues/{id}/call":           {"box-full-queues-sales-call", notFound, refusals},
		"/people":                     {"box-full-people", "box-empty-people", "box-error-person"},
		"/people/import":              {"box-full-people-import", never, "box-error-import"},
		"/people/new":                 {"box-full-people-new", "box-empty-people-new", "box-error-person"},
		"/people/{id}":                {"box-full-people-anna", notFound, onPage},
		"/hours":                      {"box-full-hours", "box-empty-hours", "box-error-hours"},
		"/hours/new":                  {"box-full-hours-new", "box-empty-hours-new", onPage},
		"/hours/{id}":                 {"box-full-hours-office", notFound, "box-error-hours"},
		"/conferences":                {"conferences", "conferences-none", refusals},
		"/conferences/new":            {"box-full-conferences-new", "box-empty-conferences-new", "box-error-conference"},
		"/conferences/{id}":           {"box-full-conferences-sala", notFound, onPage},
		"/menus":                      {"box-full-menus", "box-empty-menus", "box-error-menu"},
		"/menus/new":                  {"box-full-menus-new", "box-empty-menus-new", onPage},
		"/menus/{id}":                 {"box-full-menus-main", notFound, "box-error-menu"},
		"/messages":                   {"box-full-messages", "box-empty-messages", "box-error-sound"},
		"/messages/sentence/{name}":   {"box-full-messages-sentence-greeting", never, "box-error-sound"},
		"/messages/own/{id}":          {"box-full-messages-own-ferie", notFound, "box-error-sound"},
		"/messages/name/new":          {"box-full-messages-name-new", "box-empty-messages-name-new", onPage},
		"/messages/name/{id}":         {"box-full-messages-name-ferie", notFound, onPage},
		"/dispositions":               {"box-dispositions", "box-dispositions-none", refusals},
		"/dispositions/new":           {"box-dispositions-new", "box-dispositions-new-none", "box-dispositions-wrong"},
		"/dispositions/order":         {"box-dispositions-order", "box-dispositions-order-none", "box-dispositions-order-wrong"},
		"/dispositions/{id}":          {"box-dispositions-1", notFound, "box-dispositions-taken"},
		"/lines":                      {"box-full-lines", "box-empty-lines", refusals},
		"/lines/new":                  {"box-newline", never, "box-newline-wrong"},
		"/lines/new/carrier":          {"box-newline-carrier", never, "box-newline-wrong"},
		"/lines/new/carrier/{preset}": {"box-newline-carrier", never, "box-newline-wrong"},
		"/lines/new/modem":            {"box-newline-modem", never, "box-newline-wrong"},
		"/lines/trunk/{id}":           {"box-full-lines-trunk-tim", notFound, "box-error-trunk"},
		"/lines/modem/{id}":           {"box-full-lines-modem-gsm0", notFound, "box-error-modem"},
		"/lines/new/analog":           {"box-full-lines-new-analog", never, "box-error-analog"},
		"/lines/analog/{id}":          {"box-full-lines-analog-fisso", notFound, onPage},
		"/lamps":                      {"box-full-lamps", "box-empty-lamps", "box-error-lamp"},
		"/lamps/new":                  {"box-full-lamps-new", "box-empty-lamps-new", "box-error-lamp"},
		"/lamps/wiring":               {"box-wiring-led", never, asks},
		"/lamps/{id}":                 {"box-full-lamps-desk1", notFound, "box-error-lamp"},
		"/buttons":                    {"box-full-buttons", "box-empty-buttons", "box-error-button"},
		"/buttons/new":                {"box-full-buttons-new", "box-empty-buttons-new", "box-error-button"},
		"/buttons/{id}":               {"box-full-buttons-aid", notFound, "box-error-button"},
		"/signals":                    {"box-full-signals", never, "box-error-signal"},
		"/signals/look":               {"box-full-signals-look", never, "box-error-look"},
		"/signals/{id}":               {"box-full-signals-ringing", never, "box-error-signal"},
		"/recording":                  {"box-recording", "box-recording-none", "box-recording-changed"},
		"/recording/manner":           {"box-recording-manner", never, "box-recording-manner-wrong"},
		"/recording/rules/new":        {"box-recording-rules-new", "box-recording-rules-new-none", "box-recording-rule-wrong"},
		"/recording/rules/{id}":       {"box-recording-rules-sales", notFound, "box-recording-rule-wrong"},
		"/recording/purposes/new":     {"box-recording-purposes-new", never, "box-recording-purpose-wrong"},
		"/recording/purposes/{id}":    {"box-recording-purposes-quality", notFound, "box-recording-purpose-wrong"},
		"/changes":                    {"box-full-changes", "box-empty-changes", "box-error-veto"},
		"/history":                    {"box-full-history", "box-empty-history", "box-error-file"},
		"/history/{number}":           {"box-full-history-1", notFound, "box-error-problems"},
		"/backup":                     {"box-backup-full", "box-backup-none", "box-backup-failed"},
		"/backup/restore":             {"box-backup-restore", "box-backup-restore-clear", "box-backup-away"},
		"/handover":                   {"box-handover", never, asks},
		"/certificate":                {"box-certificate-given", "box-certificate-none", "box-certificate-clear"},
		"/board":                      {"box-board-well", "box-board-mute", "box-board-faults"},
		"/network":                    {"box-network-dhcp", "box-network-absent", "box-network-undone"},
		"/update":                     {"box-update-full", "box-update-empty", "box-update-error"},
		"/system":                     {"box-full-system", never, asks},
		"/security":                   {"box-full-security", "box-empty-security", "box-error-http"},
		"/erasures":                   {"box-erasures", "box-erasures-none", "box-erasures-clear"},
		"/traces":                     {"box-traces", "box-traces-none", "box-traces-wrong"},
		"/reset":                      {"box-reset", never, "box-reset-wrong"},
		"/about":                      {"box-full-about", never, asks},
		"/setup/{step}":               {"box-full-setup-testcall", "box-empty-setup-testcall", "box-error-setup-network"},
		"/claim":                      {"claim", never, "refusal"},
		"/invite":                     {"box-invite", never, "box-invite-gone"},
		"/network/confirm":            {"box-network-confirm", "box-network-undone", "box-network-undone"},
		"/restore":                    {"box-backup-ready", "box-backup-restore-clear", "box-backup-away"},
		"/signin":                     {"signin", never, "refusal"},
		"/":                           {"box-full-nothing", never, asks},
	}
}

// unseen are the routes whose answer is no page.
func unseen() []string {
	return []string{
		"/live", "/api/now", "/calls.csv", "/calls/{call}/sip.pcapng", "/calls/{call}/rtp.pcapng", "/reports/queue_log", "/reports/lines.csv", "/reports.csv", "/recordings/{id}/sound", "/phone/live", "/phone/ready/live",
		"/me/code.png", "/people.csv", "/messages/sound/{lang}/{name}", "/backup/copy/{name}", "/handover.pdf", "/lines/gateway/{id}", "/about/licences", "/setup", "/setup/live", "/healthz", "/asset/",
	}
}

// The faces of pages that show nothing or say what is wrong, where no other test comes by.
func TestPagesWithoutFiguresAndWithWrongOnesLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		for name, path := range map[string]string{
			"report-wrong": "/reports?from=x", "staffing-none": "/reports/staffing?day=2026-03-02&queue=sales", "staffing-wrong": "/reports/staffing?day=2026-03-02&target=200",
			"whatif-none": "/reports/whatif?day=2026-03-02", "whatif-wrong": "/reports/whatif?day=2026-03-02&agents=99",
		} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, func() ([]byte, error) {
					_, body := s.get(path + "&lang=" + lang)
					return []byte(body), nil
				})
			})
		}
		own := ask{method: http.MethodGet, path: "/reset?lang=" + lang, as: access.Owner, tls: true}
		look(t, lang, "reset", s.do(own).Body.String())
		own.method, own.form = http.MethodPost, url.Values{"typed": {"Negozio"}, "old": {goodPassword}}
		look(t, lang, "reset-wrong", s.do(own).Body.String())
	}
}

// Of every page a person has looked at the full, the empty and the wrong face, in both languages.
func TestEveryPageWasReviewedFullEmptyAndWrong(t *testing.T) {
	all := everyFace()
	for _, r := range paths(&server{}) {
		at, page := strings.CutPrefix(r.pattern, http.MethodGet+" ")
		if !page || slices.Contains(unseen(), at) {
			continue
		}
		f, known := all[at]
		if !known {
			t.Errorf("nobody has reviewed %s", at)
		}
		delete(all, at)
		for _, name := range []string{f.full, f.empty, f.wrong} {
			for _, lang := range []string{"it", "en"} {
				file := filepath.Join("testdata", lang+"-"+name+".html")
				if _, err := os.Stat(file); err != nil && known && !strings.HasPrefix(name, "(") {
					t.Errorf("%s: %v", at, err)
				}
			}
		}
	}
	for at := range maps.Keys(all) {
		t.Errorf("%s is no route", at)
	}
}
