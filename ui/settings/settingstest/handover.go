package settingstest

import (
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// Handover is a report with a fact of each kind; name stands wherever somebody else than the owner can write.
func Handover(name string) page.Handover {
	text := func(s string) page.Cell { return page.Cell{Text: s} }
	says := func(key string, args ...any) page.Cell { return page.Cell{Says: page.Said{Sentence: key, Args: args}} }
	return page.Handover{
		Made: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
		Facts: []page.HandoverFact{
			{Key: "handover.serial", Text: "pronto-9qxa.local"}, {Key: "certificate.fingerprint", Text: "01:23:45:67:89:AB:CD:EF"},
		},
		Sections: []page.HandoverSection{
			{Key: "handover.numbers", Heads: []string{"handover.number", "handover.what", "handover.name"}, Rows: [][]page.Cell{
				{text("+390612345678"), says("handover.outside"), text("TIM")}, {text("400"), says("handover.queue"), text("Perché € già così")}, {text("201"), says("handover.person"), text(name)},
			}},
			{Key: "lines", Heads: []string{"handover.name", "handover.kind", "handover.state", "handover.level"}, Rows: [][]page.Cell{
				{text("Cellulare"), says("type.gsm"), says("cause.ok"), text("WindTre · 4G · -73 dBm")},
			}},
			{Key: "handover.sound", Heads: []string{"handover.name", "handover.received", "handover.missing", "handover.silent", "handover.repairs"}, Rows: [][]page.Cell{
				{text("Cellulare"), text("61.3 s"), text("7"), text("3 s"), text("1")},
			}},
			{Key: "handover.calls", Heads: []string{"history.when", "handover.from", "handover.to", "handover.through", "handover.length", "handover.lost"}, Rows: [][]page.Cell{
				{text("2026-03-02 09:12"), text("+393331234567"), text("400"), text("trunk:tim"), text("1m7s"), text("PCMA 2/3350")},
			}},
			{Key: "handover.phones", Heads: []string{"handover.name", "handover.state", "handover.model", "network.address"}, Rows: [][]page.Cell{
				{text("201 " + name), says("handover.there"), text("Yealink SIP-T31P 124.86.0.75"), text("192.168.1.31:5060")},
			}},
			{Key: "lamps"},
			{Key: "network", Heads: []string{"handover.what", "handover.state"}, Rows: [][]page.Cell{
				{text("eth0 dc:a6:32:01:02:03"), text("192.168.1.40/24")}, {says("network.seen"), {Says: page.Said{Sentence: "network.nat.router"}, Text: "198.51.100.7"}},
			}},
			{Key: "handover.debts", Heads: []string{"handover.what", "handover.detail"}, Rows: [][]page.Cell{{says("condition.backup"), text("no place for backups is set " + name)}}},
		},
	}
}
