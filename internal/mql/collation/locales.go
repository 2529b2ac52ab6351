package collation

import (
	"strings"

	"golang.org/x/text/language"
)

// locales are the locales whose order x/text has as MongoDB's ICU has it, by MongoDB's names.
var locales = makeLocales()

// sameLocales have, but for the separator, the same name in ICU and in BCP 47.
const sameLocales = "af am bo ca chr cs cy de de_AT dz ee en en_US eo es et fi fil fo fr fr_CA ga gl ha hu id ig is it kl km lb ln lo " +
	"lt ms my nl nn om pl pt ro se sk sl sq sv sw to tr vi yo zu"

// refusedLocales are those that MongoDB has and that do not sort alike here. Most of them put a script other than Latin first,
// which x/text does not do; of the others it has older rules, and Danish and Maltese need caseFirst.
const refusedLocales = " ar as az be bg bn bs bs_Cyrl da de@collation=phonebook el en_US_POSIX es@collation=traditional fa fa_AF fi@collation=traditional gu haw " +
	"he hi hr hsb hy ja ka kk kn ko kok ky lv mk ml mn mr mt nb ne or pa ps ru si sr sr_Latn ta te th ug uk ur wae yi zh zh_Hant "

func makeLocales() map[string]language.Tag {
	all := map[string]language.Tag{}
	for name := range strings.FieldsSeq(sameLocales) {
		all[name] = language.MustParse(strings.ReplaceAll(name, "_", "-"))
	}
	return all
}

// isRefused reports whether MongoDB has a locale that this package has not.
func isRefused(name string) bool {
	return !strings.Contains(name, " ") && strings.Contains(refusedLocales, " "+name+" ")
}

// suggestion returns the locale that a name which is none was probably meant to be; empty when nothing comes near.
func suggestion(name string) string {
	base, _, _ := strings.Cut(strings.ReplaceAll(name, "-", "_"), "@")
	for base != "" {
		for known := range locales {
			if strings.EqualFold(known, base) {
				return known
			}
		}
		base = base[:max(strings.LastIndexByte(base, '_'), 0)]
	}
	return ""
}
