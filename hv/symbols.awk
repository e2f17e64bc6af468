# From `nm -n` to the table of hv/symbols.h: functions only, offsets from the image's base.
BEGIN {
    print "#include \"hv/symbols.h\""
    n = 0
    at = 0
    names = ""
}

# strtonum is gawk's: mawk gets by with the low 31 bits, which are what we need.
function hex(s,    i, v) {
    v = 0
    for (i = 1; i <= length(s); i++) {
        v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
    }
    return v
}

$3 == "_image_start" { base = hex(substr($1, 10)) }

$2 ~ /^[tT]$/ && $3 !~ /^_/ {
    offset[n] = hex(substr($1, 10))
    name[n] = $3
    n++
}

END {
    # Before the first link nobody knows where anything is; the arrays lie last, so nothing moves.
    print "const struct symbol symbol_table[] __attribute__((section(\".rodata.zz\"))) = {"
    if (n == 0) {
        print "{0, 0},"
    }
    for (i = 0; i < n; i++) {
        printf "{%du, %du},\n", offset[i] - base, at
        at += length(name[i]) + 1
    }
    print "};"
    printf "const uint32_t symbol_count = %d;\n", n
    print "const char symbol_names[] __attribute__((section(\".rodata.zz\"))) ="
    print "\"\""
    for (i = 0; i < n; i++) {
        printf "\"%s\\0\"\n", name[i]
    }
    print ";"
}
