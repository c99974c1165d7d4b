"""Standard words of EPCIS 2.0 and CBV 2.0, and their three spellings.

``shipping`` is the bare word of JSON, ``cbv:BizStep-shipping`` its compact and
``https://ref.gs1.org/cbv/BizStep-shipping`` its full web URI; XML has ``urn:epcglobal:cbv:bizstep:shipping``.

Source: CBV 2.0 section 7, EPCIS 2.0 JSON binding.
"""

from __future__ import annotations

import msgspec

CBV = "https://ref.gs1.org/cbv/"
VOC = "https://ref.gs1.org/voc/"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """One list of words; ``web_uris`` from a word to its full URI, ``words`` from each long spelling back.

    ``xml_uris``: from a word to the URI that XML has for it, its URN or, where there is none, its compact URI.
    """

    name: str
    web_uris: dict[str, str]
    xml_uris: dict[str, str]
    words: dict[str, str]


def _vocabulary(name: str, web: str, urn: str, text: str) -> Vocabulary:
    listed = text.split()
    base, prefix = (VOC, "gs1:") if web == "" else (f"{CBV}{web}-", f"cbv:{web}-")
    words = {f"{base}{word}": word for word in listed}
    words |= {f"{prefix}{word}": word for word in listed}
    if urn:
        words |= {f"urn:epcglobal:cbv:{urn}:{word}": word for word in listed}
    if web == "":
        words |= {f"https://gs1.org/voc/{word}": word for word in listed}
    xml = f"urn:epcglobal:cbv:{urn}:" if urn else prefix
    return Vocabulary(
        name=name,
        web_uris={word: base + word for word in listed},
        xml_uris={word: xml + word for word in listed},
        words=words,
    )


BIZ_STEP = _vocabulary(
    "business step",
    "BizStep",
    "bizstep",
    """accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
    decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting
    installing killing loading other packing picking receiving removing repackaging repairing replacing
    reserving retail_selling shipping staging_outbound stock_taking stocking storing transporting unloading
    unpacking void_shipping sensor_reporting sampling""",
)
DISPOSITION = _vocabulary(
    "disposition",
    "Disp",
    "disp",
    """active container_closed damaged destroyed dispensed disposed encoded expired in_progress in_transit
    inactive no_pedigree_match non_sellable_other partially_dispensed recalled reserved retail_sold returned
    sellable_accessible sellable_not_accessible stolen unknown available completeness_verified
    completeness_inferred conformant container_open mismatch_instance mismatch_class mismatch_quantity
    needs_replacement non_conformant unavailable""",
)
BIZ_TRANSACTION_TYPE = _vocabulary(
    "business transaction type",
    "BTT",
    "btt",
    "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt",
)
SOURCE_DEST_TYPE = _vocabulary(
    "source or destination type", "SDT", "sdt", "owning_party possessing_party location"
)
ERROR_REASON = _vocabulary("error reason", "ER", "er", "did_not_occur incorrect_data")
COMPONENT = _vocabulary(
    "component",
    "Comp",
    "",
    """x y z axial_distance azimuth height spherical_radius polar_angle elevation_angle easting northing latitude
    longitude altitude""",
)
MEASUREMENT = _vocabulary(
    "measurement type",
    "",
    "",
    """AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Radioactivity Altitude AmountOfSubstance
    AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity Area Capacitance
    Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity
    ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency
    Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux
    LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration
    MassFlowRate MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power
    Pressure RadiantFlux RadiantIntensity RelativeHumidity Resistance Resistivity SolidAngle SpecificVolume
    Speed SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate VolumeFraction
    VolumetricFlux Wavenumber""",
)
SENSOR_ALERT = _vocabulary("sensor alert", "", "", "ALARM_CONDITION ERROR_CONDITION")

STANDARD_WORDS = frozenset(
    word
    for vocabulary in (
        BIZ_STEP,
        DISPOSITION,
        BIZ_TRANSACTION_TYPE,
        SOURCE_DEST_TYPE,
        ERROR_REASON,
        COMPONENT,
        MEASUREMENT,
        SENSOR_ALERT,
    )
    for word in vocabulary.web_uris
)
"""Every standard word, whatever it stands for."""
