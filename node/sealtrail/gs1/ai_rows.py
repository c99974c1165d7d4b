"""The GS1 Application Identifiers: format, title, and what may or must stand beside each.

A row is ``AI | format | title | needs | not beside``, a range of AIs one row.

- *Format*: components, each ``n`` (digits), ``x`` (characters of set 82), ``y`` (set 39) or ``z`` (set 64, base64url)
  and a length, ``..`` before it for "up to", then rules of :mod:`sealtrail.gs1.ai_rules`. From a bracket on,
  components may be left out.
- *Needs*: groups divided by blanks, of each of which one must be there; alternatives by commas; ``+`` joins what only
  counts together.
- ``#`` in an AI stands for any digit.

Source: GS1 General Specifications, release 25, sections 3.2, 4.13 (needs) and 4.14 (not beside).
"""

from __future__ import annotations

ROWS = """
00 | n18:check:prefix1 | SSCC
01 | n14:check:prefix1 | GTIN | | 255,37
02 | n14:check:prefix1 | CONTENT | 37 | 01,03
03 | n14:check:prefix1 | MTO GTIN | | 01,02,37
10 | x..20 | BATCH/LOT | 01,02,03,8006,8026
11 | n6:day0 | PROD DATE | 01,02,03,8006,8026
12 | n6:day0 | DUE DATE | 8020
13 | n6:day0 | PACK DATE | 01,02,03,8006,8026
15 | n6:day0 | BEST BEFORE or BEST BY | 01,02,03,8006,8026
16 | n6:day0 | SELL BY | 01,02,03,8006,8026
17 | n6:day0 | USE BY or EXPIRY | 01,02,03,255,8006,8026
20 | n2 | VARIANT | 01,02,8006,8026
21 | x..20 | SERIAL | 01,03,8006 | 235
22 | x..20 | CPV | 01
235 | x..28 | TPX | 01
240 | x..30 | ADDITIONAL ID | 01,02,8006,8026
241 | x..30 | CUST. PART No. | 01,02,8006,8026
242 | n..6 | MTO VARIANT | 01,02,8006,8026
243 | x..20 | PCN | 01
250 | x..30 | SECONDARY SERIAL | 01,8006 21
251 | x..30 | REF. TO SOURCE | 01,8006
253 | n13:check:prefix [x..17 | GDTI
254 | x..20 | GLN EXTENSION COMPONENT | 414
255 | n13:check:prefix [n..12 | GCN | | 01,02,415,8006,8020,8026
30 | n..8 | VAR. COUNT | 01,02
37 | n..8 | COUNT | 00 02,8026
3900-3909 | n..15 | AMOUNT | 255,8020 | 390#,391#,394#,8111
3910-3919 | n3:currency n..15 | AMOUNT | 8020 | 391#
3920-3929 | n..15 | PRICE | 01 30,31##,32##,35##,36## | 392#,393#
3930-3939 | n3:currency n..15 | PRICE | 30,31##,32##,35##,36## | 393#
3940-3943 | n4 | PRCNT OFF | 255 | 394#,8111
3950-3955 | n6 | PRICE/UoM | 30,31##,32##,35##,36## | 392#,393#,395#,8005
400 | x..30 | ORDER NUMBER
401 | x..30:prefix | GINC
402 | n17:check:prefix | GSIN
403 | x..30 | ROUTE | 00
410 | n13:check:prefix | SHIP TO LOC
411 | n13:check:prefix | BILL TO
412 | n13:check:prefix | PURCHASE FROM
413 | n13:check:prefix | SHIP FOR LOC
414 | n13:check:prefix | LOC No.
415 | n13:check:prefix | PAY TO | 8020
416 | n13:check:prefix | PROD/SERV LOC
417 | n13:check:prefix | PARTY
420 | x..20 | SHIP TO POST | | 421
421 | n3:country x..9 | SHIP TO POST | | 4307
422 | n3:country | ORIGIN | 01,02,8006,8026 | 426
423 | n3:country [n3:country n3:country n3:country n3:country | COUNTRY - INITIAL PROCESS | 01,02 | 426
424 | n3:country | COUNTRY - PROCESS | 01,02 | 426
425 | n3:country [n3:country n3:country n3:country n3:country | COUNTRY - DISASSEMBLY | 01,02 | 426
426 | n3:country | COUNTRY - FULL PROCESS | 01,02
427 | x..3 | ORIGIN SUBDIVISION | 01,02 422
4300 | x..35:escaped | SHIP TO COMP | 00
4301 | x..35:escaped | SHIP TO NAME | 00
4302 | x..70:escaped | SHIP TO ADD1 | 00
4303 | x..70:escaped | SHIP TO ADD2 | 4302
4304 | x..70:escaped | SHIP TO SUB | 00
4305 | x..70:escaped | SHIP TO LOC | 00
4306 | x..70:escaped | SHIP TO REG | 00
4307 | x2:country2 | SHIP TO COUNTRY | 00
4308 | x..30 | SHIP TO PHONE | 00
4309 | n10:latitude n10:longitude | SHIP TO GEO | 00
4310 | x..35:escaped | RTN TO COMP | 00
4311 | x..35:escaped | RTN TO NAME | 00
4312 | x..70:escaped | RTN TO ADD1 | 00
4313 | x..70:escaped | RTN TO ADD2 | 4312
4314 | x..70:escaped | RTN TO SUB | 00
4315 | x..70:escaped | RTN TO LOC | 00
4316 | x..70:escaped | RTN TO REG | 00
4317 | x2:country2 | RTN TO COUNTRY | 00
4318 | x..20 | RTN TO POST | 00
4319 | x..30 | RTN TO PHONE | 00
4320 | x..35:escaped | SRV DESCRIPTION | 00
4321 | n1:yesno | DANGEROUS GOODS | 00
4322 | n1:yesno | AUTH TO LEAVE | 00
4323 | n1:yesno | SIG REQUIRED | 00
4324 | n6:day0 n4:time | NOT BEF DEL DT | 00
4325 | n6:day0 n4:time | NOT AFT DEL DT | 00
4326 | n6:day | REL DATE | 00
4330 | n6 [x1:minus | MAX TEMP F. | 00 | 4331
4331 | n6 [x1:minus | MAX TEMP C. | 00 | 4330
4332 | n6 [x1:minus | MIN TEMP F. | 00 | 4333
4333 | n6 [x1:minus | MIN TEMP C. | 00 | 4332
7001 | n13 | NSN | 01,02,8006,8026
7002 | x..30 | MEAT CUT | 01,02
7003 | n6:day n4:time | EXPIRY TIME | 01,02
7004 | n..4 | ACTIVE POTENCY | 01 10
7005 | x..12 | CATCH AREA | 01,02
7006 | n6:day | FIRST FREEZE DATE | 01,02
7007 | n6:day [n6:day | HARVEST DATE | 01,02
7008 | x..3 | AQUATIC SPECIES | 01,02
7009 | x..10 | FISHING GEAR TYPE | 01,02
7010 | x..2 | PROD METHOD | 01,02
7011 | n6:day [n4:time | TEST BY DATE | 01,02
7020 | x..20 | REFURB LOT | 01,8006 416
7021 | x..20 | FUNC STAT | 01,8006
7022 | x..20 | REV STAT | 7021
7023 | x..30:prefix | GIAI - ASSEMBLY
7030-7039 | n3:processor x..27 | PROCESSOR | 01,02
7040 | n1 x1 x1 x1:importer | UIC+EXT
7041 | x..4 | UFRGT UNIT TYPE | 00
710 | x..20 | NHRN PZN | 01
711 | x..20 | NHRN CIP | 01
712 | x..20 | NHRN CN | 01
713 | x..20 | NHRN DRN | 01
714 | x..20 | NHRN AIM | 01
715 | x..20 | NHRN NDC | 01
716 | x..20 | NHRN AIC | 01
717 | x..20 | NHRN | 01
7230-7239 | x2 x..28 | CERT | 01,8004
7240 | x..20 | PROTOCOL | 01,8006
7241 | n2:media | AIDC MEDIA TYPE | 8017,8018
7242 | x..25 | VCN | 8017,8018
7250 | n8:date | DOB | 8018 | 7251
7251 | n8:date n4:time | DOB TIME | 8018 | 7250
7252 | n1:sex | BIO SEX | 8018
7253 | x..40:escaped | FAMILY NAME | 8017,8018 | 7256,7259
7254 | x..40:escaped | GIVEN NAME | 8017,8018 | 7256,7259
7255 | x..10 | SUFFIX | 8017,8018 | 7256,7259
7256 | x..90:escaped | FULL NAME | 8017,8018
7257 | x..70:escaped | PERSON ADDR | 8018
7258 | x3:sequence | BIRTH SEQUENCE | 8018+7259
7259 | x..40:escaped | BABY | 8018 | 7256
8001 | n4:positive n5:positive n3:positive n1:winding n1 | DIMENSIONS | 01
8002 | x..20 | CMT No.
8003 | n1:zero n13:check:prefix [x..16 | GRAI
8004 | x..30:prefix | GIAI
8005 | n6 | PRICE PER UNIT | 01,02
8006 | n14:check:prefix1 n4:piece | ITIP | | 01,37
8007 | x..34:iban | IBAN | 415
8008 | n6:day n2:hour [n2:minute n2:minute | PROD TIME | 01,02
8009 | x..50 | OPTSEN | 00,01
8010 | y..30:prefix | CPID
8011 | n..12:unpadded | CPID SERIAL | 8010
8012 | x..20 | VERSION | 01,8006
8013 | x..25:checkpair:prefix | GMN
8014 | x..25:checkpair:prefix:lettered | MUDI | 01
8017 | n18:check:prefix | GSRN - PROVIDER | | 8018
8018 | n18:check:prefix | GSRN - RECIPIENT | | 8017
8019 | n..10 | SRIN | 8017,8018
8020 | x..25 | REF No. | 415
8026 | n14:check:prefix1 n4:piece | ITIP CONTENT | 37 | 02,8006
8030 | z..90 | DIGSIG | 00,01+21,253,255,8003,8004,8006+21,8010+8011,8017,8018
8110 | x..70 | COUPON
8111 | n4 | POINTS | 255
8112 | x..70 | COUPON
8200 | x..70 | PRODUCT URL | 01
90 | x..30 | INTERNAL
91-99 | x..90 | INTERNAL
"""

# Measures have one form: six digits; the AI's last digit tells where the decimal point stands, and no two of a kind
# go together. Those of trade items stand beside a GTIN or a content, those of logistic units beside SSCC or GTIN.
TRADE_MEASURES = {
    "310": "NET WEIGHT (kg)", "311": "LENGTH (m)", "312": "WIDTH (m)", "313": "HEIGHT (m)", "314": "AREA (m²)",
    "315": "NET VOLUME (l)", "316": "NET VOLUME (m³)", "320": "NET WEIGHT (lb)", "321": "LENGTH (in)",
    "322": "LENGTH (ft)", "323": "LENGTH (yd)", "324": "WIDTH (in)", "325": "WIDTH (ft)", "326": "WIDTH (yd)",
    "327": "HEIGHT (in)", "328": "HEIGHT (ft)", "329": "HEIGHT (yd)", "350": "AREA (in²)", "351": "AREA (ft²)",
    "352": "AREA (yd²)", "356": "NET WEIGHT (t oz)", "357": "NET VOLUME (oz)", "360": "NET VOLUME (qt)",
    "361": "NET VOLUME (gal.)", "364": "VOLUME (in³)", "365": "VOLUME (ft³)", "366": "VOLUME (yd³)",
}  # fmt: skip
LOGISTIC_MEASURES = {
    "330": "GROSS WEIGHT (kg)", "331": "LENGTH (m), log", "332": "WIDTH (m), log", "333": "HEIGHT (m), log",
    "334": "AREA (m²), log", "335": "VOLUME (l), log", "336": "VOLUME (m³), log", "340": "GROSS WEIGHT (lb)",
    "341": "LENGTH (in), log", "342": "LENGTH (ft), log", "343": "LENGTH (yd), log", "344": "WIDTH (in), log",
    "345": "WIDTH (ft), log", "346": "WIDTH (yd), log", "347": "HEIGHT (in), log", "348": "HEIGHT (ft), log",
    "349": "HEIGHT (yd), log", "353": "AREA (in²), log", "354": "AREA (ft²), log", "355": "AREA (yd²), log",
    "362": "VOLUME (qt), log", "363": "VOLUME (gal.), log", "367": "VOLUME (in³), log", "368": "VOLUME (ft³), log",
    "369": "VOLUME (yd³), log",
}  # fmt: skip
SURFACE_WEIGHT = {"337": "KG PER m²"}

# Data that begin so end after so many characters, AI included, without FNC1 (figure 7.8.5-2).
PREDEFINED_LENGTHS = {
    "00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "11": 8, "12": 8, "13": 8, "14": 8, "15": 8, "16": 8,
    "17": 8, "18": 8, "19": 8, "20": 4, "31": 10, "32": 10, "33": 10, "34": 10, "35": 10, "36": 10, "41": 16,
}  # fmt: skip
