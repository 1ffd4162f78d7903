package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/recovery"
)

// outage serves a page in the place of the exchange's, while that does not run: a visitor is told what is
// wrong, not that nobody answers. The exchange has the ports back before each of its starts.
type outage struct {
	log *slog.Logger
	id  string

	mu     sync.Mutex
	seen   outages
	tries  int       // starts in vain, for the page
	given  time.Time // when the ports were last given back
	end    func()    // of the page; nil: it is not served
	failed bool      // the ports were not to be had; said once
}

// outages is what is remembered of the exchange between two looks.
type outages struct {
	restarts int  // when it ran last
	asked    bool // it asked not to be started again
}

// patience is how many starts in vain are no outage yet: they take about a second.
const patience = 3

// next tells whether the page is to be served, after a look at the exchange. given is when the ports were last
// given back: a wait that began before that is about to be over.
func (o outages) next(st supervise.ServiceStatus, given time.Time) (next outages, tries int, serve bool) {
	o.asked = st.State == supervise.Finished
	if st.State == supervise.Running {
		o.restarts = st.Restarts
	}
	tries = st.Restarts - o.restarts + 1
	return o, tries, o.asked || st.State == supervise.Waiting && tries > patience && st.Since.After(given)
}

func (o *outage) init(log *slog.Logger, id string) { o.log, o.id = log, id }

// watch has the exchange among the services ask for its ports before each start.
func (o *outage) watch(all []supervise.Service) []supervise.Service {
	all = slices.Clone(all)
	for i := range all {
		if all[i].Name == exchange {
			all[i].Before = o.giveBack
		}
	}
	return all
}

// run looks at the exchange until ctx ends.
func (o *outage) run(ctx context.Context, services *supervise.Supervisor) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	defer o.giveBack()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			o.look(services)
		}
	}
}

func (o *outage) look(services *supervise.Supervisor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var serve bool
	o.seen, o.tries, serve = o.seen.next(exchangeOf(services), o.given)
	if !serve || o.end != nil {
		return
	}
	end, err := o.serve(services)
	if err != nil {
		if !o.failed {
			o.log.Error("nobody is told what is wrong", "err", err)
		}
		o.failed = true
		return
	}
	o.failed = false
	o.end = end
	o.log.Warn("the exchange does not run; a page says why", "tries", o.tries, "refused", o.seen.asked)
}

// giveBack ends the page and returns when the ports are free.
func (o *outage) giveBack() {
	o.mu.Lock()
	end := o.end
	o.end, o.given = nil, time.Now()
	o.mu.Unlock()
	if end != nil {
		end()
	}
}

// serve opens the ports; the caller holds o.mu.
func (o *outage) serve(services *supervise.Supervisor) (end func(), err error) {
	page, err := recovery.Broken(func() recovery.Trouble {
		o.mu.Lock()
		defer o.mu.Unlock()
		return recovery.Trouble{Box: o.id, Refused: o.seen.asked, Tries: o.tries, Lines: services.Lines(exchange)}
	}, "it")
	if err != nil {
		return nil, err
	}
	var cert front.Certificate
	if own, err := certificate.Own(filepath.Join(officeDir, "tls"), nil); err == nil {
		cert = own.GetCertificate
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	end = func() { cancel(); serving.Wait() }
	for _, port := range []struct {
		at   string
		cert front.Certificate
	}{{":80", nil}, {":443", cert}} {
		if port.at == ":443" && cert == nil {
			continue
		}
		if err := serveOn(ctx, &serving, o.log, port.at, page, port.cert); err != nil {
			end()
			return nil, err
		}
	}
	return end, nil
}

// serveOn answers at an address until ctx ends.
func serveOn(ctx context.Context, serving *sync.WaitGroup, log *slog.Logger, at string, page http.Handler, cert front.Certificate) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	serving.Go(func() {
		if err := front.Serve(ctx, l, page, cert); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Error("page", "at", at, "err", err)
		}
	})
	return nil
}
