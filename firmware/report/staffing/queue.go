package staffing

import (
	"math"
	"time"
)

// Queue is a queue in steady state: callers come at random (Poisson), calls last about Handle
// (exponentially distributed), callers have Patience (the same).
type Queue struct {
	PerHour  float64       // callers
	Handle   time.Duration // talk, hold and after-call work of one
	Patience time.Duration // mean; 0: they never give up
}

// Outlook is what callers meet with a number of agents.
type Outlook struct {
	InTime    float64       // share of all callers who are answered within the aim
	Abandoned float64       // share of all callers
	Wait      time.Duration // mean of all callers, also of those who give up; MaxWait where it grows without end
	Occupancy float64       // share of the agents' time with customers
}

// MaxWait stands for a wait without end.
const MaxWait = 24 * time.Hour

// MostAgents bounds Need.
const MostAgents = 1000

// load is the traffic in erlangs.
func (q Queue) load() float64 { return q.PerHour * q.Handle.Hours() }

// With returns what callers meet with n agents, of whom they should have an answer within aim.
func (q Queue) With(n int, aim time.Duration) Outlook {
	switch {
	case q.PerHour <= 0 || q.Handle <= 0:
		return Outlook{InTime: 1}
	case n <= 0:
		return Outlook{Abandoned: 1, Wait: MaxWait}
	case q.Patience <= 0:
		return q.erlangC(n, aim)
	default:
		return q.erlangA(n, aim)
	}
}

// erlangC is M/M/n.
func (q Queue) erlangC(n int, aim time.Duration) Outlook {
	a := q.load()
	if a >= float64(n) {
		return Outlook{Wait: MaxWait, Occupancy: 1}
	}
	b := 1.0 // Erlang B, by its recursion
	for k := 1; k <= n; k++ {
		b = a * b / (float64(k) + a*b)
	}
	rho := a / float64(n)
	waits := b / (1 - rho*(1-b))
	spare := (float64(n) - a) / q.Handle.Hours() // by which callers are served faster than they come, an hour
	return Outlook{InTime: 1 - waits*math.Exp(-spare*aim.Hours()), Wait: hours(waits / spare), Occupancy: rho}
}

// erlangA is M/M/n+M. The chance of each number of callers in the system is built from the most likely
// one outwards, so that nothing overflows.
func (q Queue) erlangA(n int, aim time.Duration) Outlook {
	mu, theta := 1/q.Handle.Hours(), 1/q.Patience.Hours()
	leave := func(k int) float64 { return float64(min(k, n))*mu + float64(max(0, k-n))*theta }
	mode := 0
	for leave(mode+1) < q.PerHour && mode < 100*MostAgents {
		mode++
	}
	const negligible = 1e-14
	var sum, busy, line, answered float64
	meet := func(k int, p float64) {
		sum += p
		busy += p * float64(min(k, n))
		line += p * float64(max(0, k-n))
	}
	at := position{c: float64(n) * mu / theta, x: math.Exp(-theta * aim.Hours())}
	var weights []float64 // of mode and above
	for k, p := mode, 1.0; p > negligible; k++ {
		meet(k, p)
		weights = append(weights, p)
		p *= q.PerHour / leave(k+1)
	}
	for k, p := mode, 1.0; k > 0; {
		p *= leave(k) / q.PerHour
		k--
		if p < negligible {
			break
		}
		meet(k, p)
		if k < n {
			answered += p
		} else {
			answered += p * at.served(k-n+1)
		}
	}
	for i, p := range weights {
		if k := mode + i; k < n {
			answered += p
		} else {
			answered += p * at.served(k-n+1)
		}
	}
	return Outlook{
		InTime: answered / sum, Abandoned: theta * line / sum / q.PerHour, Wait: hours(line / sum / q.PerHour), Occupancy: busy / sum / float64(n),
	}
}

// position is about a caller who finds all agents taken. The wait V of the j-th in line is a sum of
// exponential times of the rates (c+i)*theta, i = 0 ... j-1, which makes exp(-theta*V) a Beta(c, j); the
// caller is served in time if V is at most the aim and less than the own patience.
type position struct {
	c, x  float64 // x is exp(-theta*aim)
	beta  []float64
	term  float64
	power float64
}

// served is the chance of the j-th in line: c/(c+j) * (1 - I_x(c+1, j)), I the incomplete beta function,
// which grows with j by terms that are easily made of each other.
func (p *position) served(j int) float64 {
	a := p.c + 1
	if p.beta == nil {
		p.power = math.Pow(p.x, a)
		p.beta, p.term = []float64{p.power}, a*p.power*(1-p.x)
	}
	for len(p.beta) < j {
		i := float64(len(p.beta))
		p.beta = append(p.beta, min(1, p.beta[len(p.beta)-1]+p.term))
		p.term *= (1 - p.x) * (a + i) / (i + 1)
	}
	return p.c / (p.c + float64(j)) * (1 - p.beta[j-1])
}

// Need is the smallest number of agents with which at least target of all callers, between 0 and 1, are
// answered within aim, with what they meet then. It is MostAgents where none is enough.
func (q Queue) Need(target float64, aim time.Duration) (n int, then Outlook) {
	if q.PerHour <= 0 || q.Handle <= 0 {
		return 0, q.With(0, aim)
	}
	low, high := 1, 1
	for high < MostAgents && q.With(high, aim).InTime < target {
		low, high = high+1, min(2*high, MostAgents)
	}
	for low < high {
		if mid := (low + high) / 2; q.With(mid, aim).InTime < target {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return high, q.With(high, aim)
}

func hours(h float64) time.Duration {
	if h > MaxWait.Hours() {
		return MaxWait
	}
	return time.Duration(h * float64(time.Hour))
}
