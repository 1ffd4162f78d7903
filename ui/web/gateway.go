package web

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// gatewayLink leads to the settings of a gateway; nothing for another trunk.
func gatewayLink(t *config.Trunk) []page.Link {
	if !t.Gateway() {
		return nil
	}
	at := "/lines/gateway/" + string(t.ID)
	links := []page.Link{{Key: "gateway.settings", Path: at}}
	for _, m := range t.GatewayModels() {
		links = append(links, page.Link{Key: "gateway.file." + m.Name, Path: at + "?file=" + m.Name})
	}
	return links
}

// gatewaySettings serves what must be set on the page of a gateway, as a text to keep beside it. The fields have the
// names of the gateway's own page, which is English. With ?file= it is the file that the gateway reads itself.
func (s *server) gatewaySettings(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	for i := range c.Trunks {
		t := &c.Trunks[i]
		if string(t.ID) != v.PathValue("id") || !t.Gateway() {
			continue
		}
		box, known := s.reachedAt(v, c.SIP.Listen)
		if !known {
			s.refuse(w, v, http.StatusConflict, "gateway.name")
			return
		}
		if model := v.URL.Query().Get("file"); model != "" {
			s.gatewayFile(w, v, t, model, box)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+string(t.ID)+`-gateway.txt"`)
		word := s.pages[v.lang]
		fmt.Fprintf(w, "%s\r\n%s\r\n", t.Name, word.Word("gateway.lead", ""))
		tab := ""
		for _, x := range t.GatewaySettings(box, t.Number) {
			if x.Tab != tab {
				tab = x.Tab
				fmt.Fprintf(w, "\r\n%s\r\n", tab)
			}
			fmt.Fprintf(w, "  %-62s %s\r\n", x.Field, x.Value)
		}
		return
	}
	s.refuse(w, v, http.StatusNotFound, "gone")
}

// gatewayFile serves the configuration file of one model of gateway.
func (s *server) gatewayFile(w http.ResponseWriter, v *visit, t *config.Trunk, model string, box netip.AddrPort) {
	for _, m := range t.GatewayModels() {
		if m.Name != model {
			continue
		}
		if file, ok := t.GatewayFile(m, box, t.Number); ok {
			w.Header().Set("Content-Type", "application/xml; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="`+string(t.ID)+"-"+m.Name+`.xml"`)
			_, _ = w.Write(file)
			return
		}
	}
	s.refuse(w, v, http.StatusNotFound, "gone")
}

// reachedAt is how another device of the office reaches the box: at the address that is configured, or the one at which
// the visitor does.
func (s *server) reachedAt(v *visit, listen netip.AddrPort) (at netip.AddrPort, known bool) {
	if a := listen.Addr(); a.IsValid() && !a.IsUnspecified() {
		return listen, true
	}
	if at, ok := v.Context().Value(http.LocalAddrContextKey).(interface{ String() string }); ok {
		if p, err := netip.ParseAddrPort(at.String()); err == nil && !p.Addr().Unmap().IsLoopback() {
			return netip.AddrPortFrom(p.Addr().Unmap(), listen.Port()), true
		}
	}
	return netip.AddrPort{}, false
}
