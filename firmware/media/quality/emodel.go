package quality

import "math"

// Codec is how a codec bears loss (ITU-T G.113 appendix I).
type Codec struct {
	Ie  float64 // impairment without loss
	Bpl float64 // percent of random loss that impairs by half of what is left
}

// The codecs of the house. A wideband codec is rated on the scale of narrow-band telephony, on which it
// is no worse than G.711 without loss; G.113 has no Bpl for it on this scale, so it gets that of G.711
// without concealment, the lowest of the table.
var (
	G711 = Codec{0, 25.1} // with concealment as in G.711 appendix I
	G722 = Codec{0, 4.3}
)

// Path is what lies between a mouth and an ear. All else is at the defaults of G.107 table 2.
type Path struct {
	Codec  Codec
	Loss   float64 // of packets, 0 to 1
	BurstR float64 // how much longer losses last than at random (G.107 section 7.5); below 1: 1
	Delay  float64 // from mouth to ear, one way, in ms
	Echo   float64 // TELR, how far the talker's echo is below, in dB; 0: 65, as from a good phone
}

// Defaults of G.107 table 2.
const (
	slr, rlr, stmr, ds, dr = 8.0, 2.0, 15.0, 3.0, 3.0
	telr, wepl             = 65.0, 110.0
	qdu                    = 1.0
	nc, nfor, ps, pr       = -70.0, -64.0, 35.0, 35.0
	sensitivity, noticed   = 1.0, 100.0 // sT, and mT in ms
)

// R is the transmission rating of G.107 section 7.1, 0 to 100.
func (p Path) R() float64 {
	echo := p.Echo
	if echo == 0 {
		echo = telr
	}
	no := p.noise()
	ro := 15 - 1.5*(slr+no)
	r := ro - simultaneous(ro, no, p.Delay, echo) - delayed(ro, no, p.Delay, echo) - p.equipment()
	return max(0, min(100, r))
}

// noise is No, the sum of all noise in dBm0p (section 7.2).
func (p Path) noise() float64 {
	const olr = slr + rlr
	power := func(db float64) float64 { return math.Pow(10, db/10) }
	nos := ps - slr - ds - 100 + 0.004*math.Pow(ps-olr-ds-14, 2)
	const lstr = stmr + dr
	pre := pr + 10*math.Log10(1+power(10-lstr))
	nor := rlr - 121 + pre + 0.008*math.Pow(pre-35, 2)
	return 10 * math.Log10(power(nc)+power(nos)+power(nor)+power(nfor+rlr))
}

// simultaneous is Is, what is wrong while one speaks: loudness, side tone, quantisation (section 7.3).
func simultaneous(ro, no, delay, echo float64) float64 {
	root := func(x, n float64) float64 { return math.Pow(1+math.Pow(x, n), 1/n) }
	xolr := slr + rlr + 0.2*(64+no-rlr)
	iolr := 20 * (root(xolr/8, 8) - xolr/8)
	stmro := -10 * math.Log10(math.Pow(10, -stmr/10)+math.Exp(-delay/4)*math.Pow(10, -echo/10))
	ist := 12*root((stmro-13)/6, 8) - 28*root((stmro+1)/19.4, 35) - 13*root((stmro-3)/33, 13) + 29
	q := 37 - 15*math.Log10(qdu)
	g := 1.07 + 0.258*q + 0.0602*q*q
	iq := 15 * math.Log10(1+math.Pow(10, (ro-100)/15+46/8.4-g/9)+math.Pow(10, 46.0/30-g/40))
	return iolr + ist + iq
}

// delayed is Id: echo at the talker, echo at the listener, and delay itself (section 7.4).
func delayed(ro, no, delay, echo float64) float64 {
	terv := echo - 40*math.Log10((1+delay/10)/(1+delay/150)) + 6*math.Exp(-0.3*delay*delay)
	roe := -1.5 * (no - rlr)
	re := 80 + 2.5*(terv-14)
	half := (roe - re) / 2
	talker := (half + math.Sqrt(half*half+100) - 1) * (1 - math.Exp(-delay))
	rle := 10.5 * (wepl + 7) * math.Pow(2*delay+1, -0.25)
	half = (ro - rle) / 2
	listener := half + math.Sqrt(half*half+169)
	absolute := 0.0
	if delay > noticed {
		x := math.Log2(delay / noticed)
		const n = 6 * sensitivity
		absolute = 25 * (math.Pow(1+math.Pow(x, n), 1/n) - 3*math.Pow(1+math.Pow(x/3, n), 1/n) + 2)
	}
	return talker + listener + absolute
}

// equipment is Ie-eff, what codec and loss do (section 7.5).
func (p Path) equipment() float64 {
	loss := 100 * p.Loss
	if loss <= 0 {
		return p.Codec.Ie
	}
	return p.Codec.Ie + (95-p.Codec.Ie)*loss/(loss/max(1, p.BurstR)+p.Codec.Bpl)
}

// MOS is the mean opinion, 1 to 4.5, of a rating (G.107 annex B).
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
