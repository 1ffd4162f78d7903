package codec

// band holds the adaptive predictor and the scale factor of one band (blocks 3 and 4 of ITU-T G.722).
// Its zero value is the reset state.
type band struct {
	s, sz  int32    // predicted signal and its zero part
	r1, r2 int32    // last two reconstructed signals, doubled and saturated
	a1, a2 int32    // pole coefficients
	p1, p2 int32    // last two partial reconstructions; only their sign counts
	b      [6]int32 // zero coefficients
	d      [6]int32 // last six quantised differences, newest first, doubled and saturated
	nb     int32    // logarithmic scale factor
}

// saturate limits to 16 bits. Sound that is not distorted never needs it, so a branch costs nothing.
func saturate(v int32) int32 {
	if v != int32(int16(v)) {
		return v>>31 ^ 32767
	}
	return v
}

// leak is v*(1-2^-shift), rounded down as the recommendation's product and shift do.
func leak(v int32, shift uint) int32 { return v + -v>>shift }

// signed is v where mask is 0 and -v where it is -1.
func signed(v, mask int32) int32 { return (v ^ mask) - mask }

// encodeLow codes one sample of the lower band (15-bit range): QUANTL, INVQAL, LOGSCL and SCALEL.
func (b *band) encodeLow(x int32) byte {
	e := saturate(x - b.s)
	negative := e >> 31
	scale := &g722Low[b.nb>>6&511]
	// The interval is the first whose decision level, level*det>>12, is above the magnitude: so level
	// is above the quotient, which is found by multiplying with the reciprocal (exact below 2^27).
	quotient := uint64(uint32(e^negative)<<12|4095) * scale.reciprocal >> reciprocalShift
	code := &g722LowCode[2*g722Interval[min(quotient, lastInterval)]&62|uint8(negative)&1]
	b.nb = max(0, min(18432, leak(b.nb, 7)+code.step))
	b.adapt(scale.det * code.difference >> 15)
	return code.code
}

// decodeLow takes the lower 6 bits of a byte.
func (b *band) decodeLow(code byte) int32 {
	scale, level := &g722Low[b.nb>>6&511], &g722LowLevel[code&63]
	r := clip15(b.s + scale.det*level.fine>>15)
	b.nb = max(0, min(18432, leak(b.nb, 7)+level.step))
	b.adapt(scale.det * level.difference >> 15)
	return r
}

// encodeHigh codes one sample of the upper band: QUANTH, INVQAH, LOGSCH and SCALEH.
func (b *band) encodeHigh(x int32) byte {
	e := saturate(x - b.s)
	negative := e >> 31
	scale := &g722High[b.nb>>6&511]
	// Bit 1: not negative; bit 0: the inner of the two intervals.
	code := ^negative&2 | (e^negative-scale.decision)>>31&1
	b.nb = max(0, min(22528, leak(b.nb, 7)+g722WH[code]))
	b.adapt(scale.det * g722QM2[code] >> 15)
	return byte(code)
}

// decodeHigh takes the lower 2 bits of code.
func (b *band) decodeHigh(code byte) int32 {
	scale := &g722High[b.nb>>6&511]
	d := scale.det * g722QM2[code&3] >> 15
	r := clip15(saturate(b.s + d))
	b.nb = max(0, min(22528, leak(b.nb, 7)+g722WH[code&3]))
	b.adapt(d)
	return r
}

// adapt is block 4: it takes the quantised difference and prepares the next prediction.
func (b *band) adapt(d int32) {
	r := saturate(b.s + d)
	p := saturate(b.sz + d)
	differs1, differs2 := (p^b.p1)>>31, (p^b.p2)>>31

	// UPPOL2 and UPPOL1
	wd := min(32767, signed(saturate(b.a1<<2), ^differs1)) >> 7
	a2 := max(-12288, min(12288, wd+signed(128, differs2)+leak(b.a2, 7)))
	limit := 15360 - a2
	a1 := max(-limit, min(limit, signed(192, differs1)+leak(b.a1, 8)))

	// UPZERO, DELAYA and FILTEZ. The leak keeps the coefficients in 16 bits; a zero difference only leaks.
	step := int32(128)
	if d == 0 {
		step = 0
	}
	d0, d1, d2, d3, d4, d5 := b.d[0], b.d[1], b.d[2], b.d[3], b.d[4], b.d[5]
	b0 := leak(b.b[0], 8) + signed(step, (d^d0)>>31)
	b1 := leak(b.b[1], 8) + signed(step, (d^d1)>>31)
	b2 := leak(b.b[2], 8) + signed(step, (d^d2)>>31)
	b3 := leak(b.b[3], 8) + signed(step, (d^d3)>>31)
	b4 := leak(b.b[4], 8) + signed(step, (d^d4)>>31)
	b5 := leak(b.b[5], 8) + signed(step, (d^d5)>>31)
	double := saturate(d + d)
	sz := saturate(b0*double>>15 + b1*d0>>15 + b2*d1>>15 + b3*d2>>15 + b4*d3>>15 + b5*d4>>15)
	b.b = [6]int32{b0, b1, b2, b3, b4, b5}
	b.d = [6]int32{double, d0, d1, d2, d3, d4}
	b.sz = sz

	// FILTEP and PREDIC
	r2, r1 := b.r1, saturate(r+r)
	b.r2, b.r1 = r2, r1
	b.p2, b.p1 = b.p1, p
	b.a1, b.a2 = a1, a2
	b.s = saturate(saturate(a1*r1>>15+a2*r2>>15) + sz)
}
