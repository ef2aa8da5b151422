package main

import (
	"cmp"
	"strconv"
	"strings"
)

// newer reports whether version a of a module is newer than b, which may be empty.
func newer(a, b string) bool { return b == "" || compareVersions(a, b) > 0 }

// compareVersions compares two versions of a module by https://semver.org/#spec-item-11. Package
// golang.org/x/mod/semver does the same, but core must not depend on it.
func compareVersions(a, b string) int {
	a, _, _ = strings.Cut(strings.TrimPrefix(a, "v"), "+")
	b, _, _ = strings.Cut(strings.TrimPrefix(b, "v"), "+")
	a, preA, isPreA := strings.Cut(a, "-")
	b, preB, isPreB := strings.Cut(b, "-")
	if c := compareFields(a, b); c != 0 {
		return c
	}
	switch {
	case isPreA && !isPreB:
		return -1
	case isPreB && !isPreA:
		return 1
	}
	return compareFields(preA, preB)
}

// compareFields compares field by field, numbers as numbers, which come before words.
func compareFields(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(as) && i < len(bs); i++ {
		m, errM := strconv.ParseUint(as[i], 10, 64)
		n, errN := strconv.ParseUint(bs[i], 10, 64)
		c := 0
		switch {
		case errM == nil && errN == nil:
			c = cmp.Compare(m, n)
		case errM == nil:
			c = -1
		case errN == nil:
			c = 1
		default:
			c = cmp.Compare(as[i], bs[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}
