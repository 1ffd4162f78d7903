package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// plan is what is done with a board.
type plan struct {
	Cuts             int
	Earliest, Latest time.Duration // of a cut, after power-on
	Dark             time.Duration
	Limit            time.Duration // of a whole start
	Seed             uint64
}

func (p plan) check() error {
	switch {
	case p.Cuts < 1:
		return errors.New("want at least one cut")
	case p.Earliest < 0 || p.Latest < p.Earliest:
		return fmt.Errorf("cuts from %v to %v after power-on make no sense", p.Earliest, p.Latest)
	case p.Dark < time.Second:
		return errors.New("a board needs a second without power at least")
	case p.Limit < p.Latest:
		return fmt.Errorf("a whole start has %v, and cuts come as late as %v", p.Limit, p.Latest)
	}
	return nil
}

// bench is a board with a relay in its supply and its console on a serial port.
type bench struct {
	Plan    plan
	Card    string
	Console io.ReadCloser // closed by run
	Power   func(ctx context.Context, on bool) error
	Out     io.Writer // for who watches
	Results io.Writer // CSV
	Sleep   func(context.Context, time.Duration) error
}

// run cuts the power at a random moment of a start, lets the next start come to its end, and judges that, until all
// cuts are done. The cut that ends a whole start falls on a box that works. It returns an error if the bench itself
// fails, or any whole start did.
func (b *bench) run(ctx context.Context) error {
	lines := make(chan string, 1024)
	var reading sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	reading.Go(func() { b.read(ctx, lines) })
	defer func() {
		cancel()
		_ = b.Console.Close() // which ends the reading
		reading.Wait()
	}()
	chance := rand.New(rand.NewPCG(b.Plan.Seed, 0))
	fmt.Fprintf(b.Out, "%d cuts, seed %d, card %q\n", b.Plan.Cuts, b.Plan.Seed, b.Card)
	table := csv.NewWriter(b.Results)
	var whole []time.Duration
	loaders := map[string]int{}
	bad := 0
	for i := 1; i <= b.Plan.Cuts; i++ {
		cut := b.Plan.Earliest + time.Duration(chance.Int64N(int64(b.Plan.Latest-b.Plan.Earliest)+1))
		if _, err := b.start(ctx, lines, cut, false); err != nil {
			return err
		}
		s, err := b.start(ctx, lines, b.Plan.Limit, true)
		if err != nil {
			return err
		}
		if s.Loader != "" {
			loaders[s.Loader]++
		}
		why := s.verdict()
		if why == "" {
			whole = append(whole, s.Ready)
			fmt.Fprintf(b.Out, "%d: cut after %v; the next start serves after %v\n", i, cut.Round(time.Millisecond), s.Ready.Round(100*time.Millisecond))
		} else {
			bad++
			fmt.Fprintf(b.Out, "%d: cut after %v; FAILED: %s\n", i, cut.Round(time.Millisecond), why)
		}
		row := []string{
			time.Now().UTC().Format(time.RFC3339), b.Card, strconv.FormatUint(b.Plan.Seed, 10), strconv.Itoa(i), fmt.Sprintf("%.3f", cut.Seconds()),
			fmt.Sprintf("%.1f", s.Ready.Seconds()), s.Loader, s.System, s.Kernel, s.Failed, why,
		}
		if err := table.Write(row); err != nil {
			return err
		}
		if table.Flush(); table.Error() != nil {
			return table.Error()
		}
	}
	return b.sum(whole, loaders, bad)
}

func (b *bench) sum(whole []time.Duration, loaders map[string]int, bad int) error {
	slices.Sort(whole)
	if n := len(whole); n > 0 {
		fmt.Fprintf(b.Out, "%d whole starts served: p50 %v, p95 %v, slowest %v\n", n,
			whole[n/2].Round(100*time.Millisecond), whole[n*95/100].Round(100*time.Millisecond), whole[n-1].Round(100*time.Millisecond))
	}
	for l, n := range loaders {
		fmt.Fprintf(b.Out, "boot loader %s: %d starts\n", l, n)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d cuts were not survived", bad, b.Plan.Cuts)
	}
	fmt.Fprintf(b.Out, "all %d cuts were survived\n", b.Plan.Cuts)
	return nil
}

// start switches the board on, listens for a time, or until the exchange runs, and switches it off.
func (b *bench) start(ctx context.Context, lines <-chan string, limit time.Duration, whole bool) (start, error) {
	for len(lines) > 0 { // what the board said when it lost its power
		<-lines
	}
	if err := b.Power(ctx, true); err != nil {
		return start{}, err
	}
	s, begun := start{Silence: true}, time.Now()
	over := time.NewTimer(limit)
	defer over.Stop()
listening:
	for !whole || s.Ready == 0 && !s.Rescue {
		select {
		case <-ctx.Done():
			return s, errors.Join(ctx.Err(), b.Power(context.WithoutCancel(ctx), false))
		case line, ok := <-lines:
			if !ok {
				return s, errors.Join(errors.New("the console is gone"), b.Power(ctx, false))
			}
			s.take(line, time.Since(begun))
		case <-over.C:
			break listening
		}
	}
	if err := b.Power(ctx, false); err != nil {
		return s, err
	}
	return s, b.Sleep(ctx, b.Plan.Dark)
}

// read passes lines on; those that nobody takes in time are lost, as on a real console.
func (b *bench) read(ctx context.Context, lines chan<- string) {
	defer close(lines)
	in := bufio.NewScanner(b.Console)
	in.Buffer(nil, 1<<16)
	for in.Scan() {
		select {
		case lines <- in.Text():
		case <-ctx.Done():
			return
		}
	}
}
