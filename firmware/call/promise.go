package call

import (
	"crypto/rand"
	"errors"
	"time"
)

// Limits of a promise: by itself it is over after MaxPromise at most, and what it was given for happens within going
// after Leave, or not at all.
const (
	MaxPromise = time.Minute
	going      = 5 * time.Second
)

// The errors of promises.
var (
	ErrBusy       = errors.New("there are calls")
	ErrNoPromise  = errors.New("that promise does not stand: its time is over, or somebody calls for help")
	ErrRestarting = errors.New("the box is about to restart")
)

// promise is the word of the exchange that nobody is on the phone, and that nobody will be until its time is over: who
// restarts the box needs more than a look at the calls, which is out of date when it is told. The zero value is none.
type promise struct {
	token   string
	until   time.Time
	leaving bool // the restart is certain: a call that was taken now would be cut
}

func (p promise) stands(now time.Time) bool { return p.token != "" && now.Before(p.until) }

// admit judges a call that would begin now. A call for help ends the promise, and with it the restart; only when that is
// certain, a matter of milliseconds, nothing begins any more, since it would be cut.
func (p promise) admit(urgent bool, now time.Time) (promise, error) {
	switch {
	case !p.stands(now):
		return promise{}, nil
	case urgent && !p.leaving:
		return promise{}, nil
	default:
		return p, ErrRestarting
	}
}

// leave makes a promise that stands a restart that is certain.
func (p promise) leave(token string, urgent int, now time.Time) (promise, error) {
	if token == "" || p.token != token || !p.stands(now) || urgent > 0 {
		return p, ErrNoPromise
	}
	p.leaving, p.until = true, now.Add(going)
	return p, nil
}

// Promise has no call begin for a while but calls for help, which end the promise, unless there are calls: ErrBusy. With
// endCalls there may be calls, which a restart then ends, but none for help. One that is given ends the one before.
func (x *Exchange) Promise(lasts time.Duration, endCalls bool) (token string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.urgent() > 0 || len(x.calls) > 0 && !endCalls {
		return "", ErrBusy
	}
	x.promise = promise{token: rand.Text(), until: time.Now().Add(min(max(lasts, 0), MaxPromise))}
	return x.promise.token, nil
}

// Leave says that the restart comes now, for which that promise was given: for seconds nothing begins any more. An error
// says that it must not come: ErrNoPromise.
func (x *Exchange) Leave(token string) (err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.promise, err = x.promise.leave(token, x.urgent(), time.Now())
	return err
}

// Withdraw gives a promise back: the restart comes to nothing. Another one stays.
func (x *Exchange) Withdraw(token string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.promise.token == token {
		x.promise = promise{}
	}
}

// admit asks the promise; it wants mu held.
func (x *Exchange) admit(urgent bool) (err error) {
	stood := x.promise.stands(time.Now())
	if x.promise, err = x.promise.admit(urgent, time.Now()); err == nil && stood && urgent {
		x.cfg.Log.Warn("somebody calls for help: the box does not restart")
	}
	return err
}

// urgent is how many emergency calls exist; it wants mu held.
func (x *Exchange) urgent() (n int) {
	for _, a := range x.calls {
		if a.urgent.Load() {
			n++
		}
	}
	return n
}
