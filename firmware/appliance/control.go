package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// openControl makes the unix socket on which prontoctl reaches us, which only the owner of the state can open: what the
// page does not offer to visitors.
func (b *Box) openControl() net.Listener {
	return b.openSocket(filepath.Join(b.opts.RunDir, "control.sock"), 0o600, "prontoctl")
}

// openSocket makes a unix socket for somebody, in the place of one that a killed process left. A box without it works
// on; nil says that there is none, and the log why.
func (b *Box) openSocket(path string, mode os.FileMode, whose string) net.Listener {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.log.Warn("a socket of an earlier process stays, so that somebody cannot reach us", "who", whose, "err", err)
		return nil
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		b.log.Warn("somebody cannot reach us", "who", whose, "err", err)
		return nil
	}
	if err := os.Chmod(path, mode); err != nil {
		b.log.Warn("somebody cannot reach us", "who", whose, "err", errors.Join(err, l.Close()))
		return nil
	}
	return l
}

// serveSocket answers on such a socket until ctx ends.
func (b *Box) serveSocket(ctx context.Context, l net.Listener, h http.Handler, whose string) {
	server := &http.Server{Handler: h, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		b.log.Warn("somebody cannot reach us any more", "who", whose, "err", err)
	}
}

// commands are what prontoctl can ask.
func (b *Box) commands() http.Handler {
	mux := http.NewServeMux()
	b.accessCommands(mux)
	b.missedCommands(mux)
	b.callbackCommands(mux)
	b.agentCommands(mux)
	b.traceCommands(mux)
	b.fitCommands(mux)
	b.processCommands(mux)
	mux.HandleFunc("GET /bans", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(b.bans.List()) // who hung up needs no answer
	})
	mux.HandleFunc("DELETE /bans/{source...}", func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.PathValue("source"), "/") // of a network its address is enough
		a, err := netip.ParseAddr(name)
		switch {
		case err != nil:
			http.Error(w, "not an address", http.StatusBadRequest)
		case !b.bans.Lift(a):
			http.Error(w, "not banned", http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	b.textCommands(mux)
	return mux
}
