package settingstest

import "strings"

// Path is the method of a route of the page, and a path of it that exists in Office.
func Path(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	switch path {
	case "/asset/":
		return method, "/asset/pronto.css"
	case "/":
		return method, "/nothing"
	}
	path = strings.NewReplacer("{$}", "", "/copy/{name}", "/copy/pronto-bottega-20260302T010000Z.age", "{name}", "agent", "/calls/{call}/sip", "/calls/c1/sip", "/calls/{call}/rtp", "/calls/c1/rtp", "/calls/{call}", "/calls/c1?at=2026-03-02T09:00:00Z", "{call}", "c1", "{callback}", "cb1", "{agent}", "anna",
		"{number}", "1", "{caller}", "+393331234567", "{preset}", "messagenet", "{step}", "6").Replace(path)
	return method, strings.NewReplacer("/queues/{id}", "/queues/sales", "/people/{id}", "/people/anna", "/hours/{id}", "/hours/office",
		"/trunk/{id}", "/trunk/tim", "/modem/{id}", "/modem/gsm0", "/analog/{id}", "/analog/fisso", "/gateway/{id}", "/gateway/tim", "/phones/{id}", "/phones/201", "/menus/{id}", "/menus/main", "/conferences/{id}", "/conferences/sala", "/dispositions/{id}", "/dispositions/1", "/recording/rules/{id}", "/recording/rules/sales", "/recording/purposes/{id}", "/recording/purposes/quality", "/lamps/{id}", "/lamps/desk1", "/buttons/{id}", "/buttons/aid", "/recordings/{id}", "/recordings/c1-1", "/signals/{id}", "/signals/ringing",
		"/messages/own/{id}", "/messages/own/ferie", "/messages/name/{id}", "/messages/name/ferie",
		"/sound/{lang}/agent", "/sound/it/greeting", "/sentence/agent", "/sentence/greeting").Replace(path)
}
