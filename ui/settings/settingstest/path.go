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
	path = strings.NewReplacer("{$}", "", "{name}", "agent", "{call}", "c1", "{callback}", "cb1", "{agent}", "anna", "{number}", "1").Replace(path)
	return method, strings.NewReplacer("/queues/{id}", "/queues/sales", "/people/{id}", "/people/anna", "/hours/{id}", "/hours/office",
		"/trunk/{id}", "/trunk/tim", "/modem/{id}", "/modem/gsm0", "/phones/{id}", "/phones/201").Replace(path)
}
