package codec

// G.722 at 64 kbit/s (mode 1), after the blocks and the names of ITU-T G.722 (09/2012) section 6.
//
// The codec splits 16,000 Hz audio into two bands of 8,000 Hz each with a pair of quadrature mirror
// filters and codes the lower band with 6 bits and the upper with 2. The linear audio of the house is
// 8,000 Hz, so Encode interpolates and Decode decimates with a half-band filter. Coding 8,000 Hz
// audio as the lower band itself would cost half, but the mirror filters are so gentle (-17 dB at
// 4,900 Hz) that a wideband phone would hear 3,100 Hz again at 4,900.

// band holds the adaptive predictor and the scale factor of one band (blocks 3 and 4).
type band struct {
	s, sz  int32    // predicted signal and its zero part
	r1, r2 int32    // last two reconstructed signals, doubled and saturated
	a1, a2 int32    // pole coefficients
	p1, p2 int32    // last two partial reconstructions; only their sign counts
	b      [6]int32 // zero coefficients
	d      [6]int32 // last six quantised differences, newest first
	nb     int32    // logarithmic scale factor
	det    int32    // scale factor
}

func saturate(v int32) int32 {
	return max(-32768, min(32767, v))
}

// scale turns the logarithmic factor into a linear one (SCALEL with base 8, SCALEH with base 10).
func (b *band) scale(base int32) {
	wd := g722ILB[b.nb>>6&31]
	if shift := base - b.nb>>11; shift < 0 {
		wd <<= uint(-shift)
	} else {
		wd >>= uint(shift)
	}
	b.det = wd << 2
}

func (b *band) scaleLow(ril int32) {
	b.nb = max(0, min(18432, b.nb*127>>7+g722WL[g722RL42[ril]]))
	b.scale(8)
}

func (b *band) scaleHigh(ih int32) {
	b.nb = max(0, min(22528, b.nb*127>>7+g722WH[ih]))
	b.scale(10)
}

// adapt is block 4: it takes the quantised difference and prepares the next prediction.
func (b *band) adapt(d int32) {
	r := saturate(b.s + d)
	p := saturate(b.sz + d)
	sameAs1 := p^b.p1 >= 0
	sameAs2 := p^b.p2 >= 0

	// UPPOL2
	wd := saturate(b.a1 << 2)
	if sameAs1 {
		wd = min(32767, -wd)
	}
	wd >>= 7
	if sameAs2 {
		wd += 128
	} else {
		wd -= 128
	}
	a2 := max(-12288, min(12288, wd+b.a2*32512>>15))

	// UPPOL1
	wd = -192
	if sameAs1 {
		wd = 192
	}
	limit := 15360 - a2
	a1 := max(-limit, min(limit, saturate(wd+b.a1*32640>>15)))

	// UPZERO, DELAYA and FILTEZ in one pass over the six taps. A zero difference only leaks.
	step := int32(128)
	if d == 0 {
		step = 0
	}
	var sz int32
	next := d
	for i := range b.b {
		old := b.d[i]
		wd = b.b[i] * 32640 >> 15
		if old^d >= 0 {
			wd += step
		} else {
			wd -= step
		}
		wd = saturate(wd)
		b.b[i] = wd
		b.d[i] = next
		sz += wd * saturate(next+next) >> 15
		next = old
	}
	b.sz = saturate(sz)

	// FILTEP and PREDIC
	b.r2, b.r1 = b.r1, saturate(r+r)
	b.p2, b.p1 = b.p1, p
	b.a1, b.a2 = a1, a2
	sp := saturate(a1*b.r1>>15 + a2*b.r2>>15)
	b.s = saturate(sp + b.sz)
}

// quantizeLow is QUANTL: the 6-bit code of a difference.
func quantizeLow(e, det int32) int32 {
	m := e
	if e < 0 {
		m = ^e
	}
	// The decision levels rise, so the interval is found by halving instead of walking.
	lo, hi := 1, 30
	for lo < hi {
		mid := (lo + hi) >> 1
		if m < g722Q6[mid]*det>>12 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if e < 0 {
		return g722ILN[lo]
	}
	return g722ILP[lo]
}

// encodeLow codes one sample of the lower band (15-bit range).
func (b *band) encodeLow(x int32) int32 {
	il := quantizeLow(saturate(x-b.s), b.det)
	ril := il >> 2
	d := b.det * g722QM4[ril] >> 15
	b.scaleLow(ril)
	b.adapt(d)
	return il
}

func (b *band) decodeLow(il int32) int32 {
	r := b.s + b.det*g722QM6[il]>>15
	ril := il >> 2
	d := b.det * g722QM4[ril] >> 15
	b.scaleLow(ril)
	b.adapt(d)
	return clip15(r)
}

func (b *band) encodeHigh(x int32) int32 {
	e := saturate(x - b.s)
	m := e
	if e < 0 {
		m = ^e
	}
	ih := int32(0)
	if m < 564*b.det>>12 {
		ih = 1
	}
	if e >= 0 {
		ih |= 2
	}
	d := b.det * g722QM2[ih] >> 15
	b.scaleHigh(ih)
	b.adapt(d)
	return ih
}

func (b *band) decodeHigh(ih int32) int32 {
	d := b.det * g722QM2[ih] >> 15
	r := saturate(b.s + d)
	b.scaleHigh(ih)
	b.adapt(d)
	return clip15(r)
}

// G722Encoder codes one direction of one call. Use either Encode or Encode16 on one encoder.
type G722Encoder struct {
	low, high   band
	first, late delayLine // the two phases of the analysis filter
	narrow      delayLine // 8,000 Hz input of the interpolator
}

// NewG722Encoder makes an encoder in the reset state of the recommendation.
func NewG722Encoder() *G722Encoder {
	return &G722Encoder{low: band{det: 32}, high: band{det: 8}}
}

// Encode codes 8,000 Hz audio, one byte per sample.
func (e *G722Encoder) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	dst = dst[:n]
	for i, s := range pcm[:n] {
		w := e.narrow.push(int32(s))
		dst[i] = e.encodePair(w[11], between(w))
	}
	return n
}

// Encode16 codes 16,000 Hz audio, one byte per two samples, and returns the bytes written.
func (e *G722Encoder) Encode16(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm)/2)
	for i := range n {
		dst[i] = e.encodePair(int32(pcm[2*i]), int32(pcm[2*i+1]))
	}
	return n
}

// encodePair is TXQMF and both band coders for two samples at 16,000 Hz.
func (e *G722Encoder) encodePair(first, late int32) byte {
	f, l := e.first.push(first), e.late.push(late)
	var odd, even int32
	for k, c := range g722QMF {
		odd += f[12+k] * c
		even += l[23-k] * c
	}
	il := e.low.encodeLow(clip15((even + odd) >> 14))
	ih := e.high.encodeHigh(clip15((even - odd) >> 14))
	return byte(ih<<6 | il)
}

// clip15 is the range of a band's signal: the recommendation limits it to 15 bits.
func clip15(v int32) int32 {
	return max(-16384, min(16383, v))
}

// G722Decoder decodes one direction of one call. Use either Decode or Decode16 on one decoder.
type G722Decoder struct {
	low, high       band
	sum, difference delayLine // the two phases of the synthesis filter
	first, late     delayLine // 16,000 Hz output, the two phases of the decimator
}

// NewG722Decoder makes a decoder in the reset state of the recommendation.
func NewG722Decoder() *G722Decoder {
	return &G722Decoder{low: band{det: 32}, high: band{det: 8}}
}

// Decode gives 8,000 Hz audio, one sample per byte.
func (d *G722Decoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst), len(payload))
	dst = dst[:n]
	for i, b := range payload[:n] {
		first, late := d.decodePair(b)
		f, l := d.first.push(first), d.late.push(late)
		dst[i] = int16((f[12] + between(l) + 1) >> 1)
	}
	return n
}

// Decode16 gives 16,000 Hz audio, two samples per byte, and returns the samples written.
func (d *G722Decoder) Decode16(dst []int16, payload []byte) int {
	n := min(len(dst)/2, len(payload))
	for i, b := range payload[:n] {
		first, late := d.decodePair(b)
		dst[2*i], dst[2*i+1] = int16(first), int16(late)
	}
	return 2 * n
}

// decodePair is both band decoders and RXQMF for one byte.
func (d *G722Decoder) decodePair(b byte) (first, late int32) {
	low := d.low.decodeLow(int32(b & 0x3F))
	high := d.high.decodeHigh(int32(b >> 6))
	s, t := d.sum.push(low+high), d.difference.push(low-high)
	for k, c := range g722QMF {
		late += s[12+k] * c
		first += t[23-k] * c
	}
	return saturate(first >> 11), saturate(late >> 11)
}
