package bsonraw

// KeyClassBounds returns the bytes between which the keys of all values that compare with values of type t by value, and not
// by type alone, lie: from is included, to is not.
func KeyClassBounds(t Type) (from, to []byte) {
	switch t {
	case TypeMinKey:
		return []byte{keyMinKey}, []byte{keyMinKey + 1}
	case TypeUndefined, TypeNull, TypeMissing:
		return []byte{keyUndefined}, []byte{keyNull + 1}
	case TypeInt32, TypeInt64, TypeDouble, TypeDecimal128:
		return []byte{keyNumber}, []byte{keyString}
	case TypeString, TypeSymbol:
		return []byte{keyString}, []byte{keyString + 1}
	case TypeDocument:
		return []byte{keyDocument}, []byte{keyDocument + 1}
	case TypeArray:
		return []byte{keyArray}, []byte{keyArray + 1}
	case TypeBinary:
		return []byte{keyBinary}, []byte{keyBinary + 1}
	case TypeObjectID:
		return []byte{keyObjectID}, []byte{keyObjectID + 1}
	case TypeBool:
		return []byte{keyFalse}, []byte{keyTrue + 1}
	case TypeDate:
		return []byte{keyDate}, []byte{keyDate + 1}
	case TypeTimestamp:
		return []byte{keyTimestamp}, []byte{keyTimestamp + 1}
	case TypeRegex:
		return []byte{keyRegex}, []byte{keyRegex + 1}
	case TypeDBPointer:
		return []byte{keyDBPointer}, []byte{keyDBPointer + 1}
	case TypeJavaScript:
		return []byte{keyCode}, []byte{keyCode + 1}
	case TypeCodeScope:
		return []byte{keyCodeScope}, []byte{keyCodeScope + 1}
	}
	return []byte{keyMaxKey}, []byte{keyMaxKey + 1}
}
