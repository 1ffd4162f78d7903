package codec

// Constants of ITU-T G.722 (09/2012), by the names used there. They are never written.
var (
	// g722Q6, g722ILN and g722ILP are the lower band's decision levels and codes (table 14).
	g722Q6 = [31]int32{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
		786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, 0,
	}
	g722ILN = [31]int32{
		0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19,
		18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
	}
	g722ILP = [31]int32{
		0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
		46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
	}

	// g722QM6, g722QM4 and g722QM2 are the inverse quantisers of 6, 4 and 2 bits.
	g722QM6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	g722QM4 = [16]int32{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	g722QM2 = [4]int32{-7408, -1616, 7408, 1616}

	// g722RL42 maps a 4-bit code to its magnitude; g722WL and g722WH are the log multipliers.
	g722RL42 = [16]int32{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0}
	g722WL   = [8]int32{-60, -30, 58, 172, 334, 538, 1198, 3042}
	g722WH   = [4]int32{798, -214, 798, -214}

	// g722ILB is the inverse logarithm of table 18.
	g722ILB = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383,
		2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371,
		3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)

// reciprocalShift makes a quotient by multiplication exact: numerators are below 2^27, divisors below 2^15.
const reciprocalShift = 42

// lastInterval is the smallest quotient above all decision levels.
const lastInterval = 2919

// g722Scale is what follows from a logarithmic scale factor, whose upper bits are its index.
type g722Scale struct {
	det        int32  // scale factor
	decision   int32  // upper band: where the inner interval ends
	reciprocal uint64 // of det, times 1<<reciprocalShift, rounded up
}

// g722Code is one interval of the lower band's quantiser.
type g722Code struct {
	difference int32 // by the 4-bit inverse quantiser
	step       int32 // of the logarithmic scale factor
	code       uint8
}

// g722Level is what a 6-bit code of the lower band means.
type g722Level struct {
	fine       int32 // by the 6-bit inverse quantiser
	difference int32
	step       int32
}

// Tables that follow from the constants: for each scale factor of a band, each interval and sign, each
// code, and each quotient of magnitude and scale factor.
var (
	g722Low     = tabulate[[512]g722Scale](func(t *[512]g722Scale, i int) { t[i] = scaleFactor(i, 8) }, 512)
	g722High    = tabulate[[512]g722Scale](func(t *[512]g722Scale, i int) { t[i] = scaleFactor(i, 10) }, 512)
	g722LowCode = tabulate[[64]g722Code](func(t *[64]g722Code, i int) {
		if i>>1 < len(g722ILP) {
			t[i].code = uint8([2]int32{g722ILP[i>>1], g722ILN[i>>1]}[i&1])
			rough := t[i].code >> 2
			t[i].difference, t[i].step = g722QM4[rough], g722WL[g722RL42[rough]]
		}
	}, 64)
	g722LowLevel = tabulate[[64]g722Level](func(t *[64]g722Level, i int) {
		t[i] = g722Level{g722QM6[i], g722QM4[i>>2], g722WL[g722RL42[i>>2]]}
	}, 64)
	g722Interval = tabulate[[lastInterval + 1]uint8](func(t *[lastInterval + 1]uint8, quotient int) {
		for t[quotient] = 1; t[quotient] < 30 && int(g722Q6[t[quotient]]) <= quotient; {
			t[quotient]++
		}
	}, lastInterval+1)
)

// scaleFactor turns the upper bits of a logarithmic factor into a linear one (SCALEL with base 8, SCALEH
// with base 10).
func scaleFactor(upper, base int) (s g722Scale) {
	s.det = g722ILB[upper&31]
	if shift := base - upper>>5; shift < 0 {
		s.det <<= uint(-shift)
	} else {
		s.det >>= uint(shift)
	}
	s.det <<= 2
	s.decision = 564 * s.det >> 12
	if s.det > 0 { // else beyond what the factor can reach
		s.reciprocal = (1<<reciprocalShift + uint64(s.det) - 1) / uint64(s.det)
	}
	return s
}
