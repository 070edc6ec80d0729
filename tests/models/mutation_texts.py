"""Small sound files, together of most classes that are read, for `mutations.mutated`."""

from tests import hopper_model
from tests.models import osim_text as osim

_TWO_BODIES = {
    "bodies": osim.body("a", "2", mass_center="0.1 0.2 0", inertia="0.3 0.2 0.4 0.01 0 0")
    + osim.body("b", "1.5", mass_center="0 -0.1 0.05", inertia="0.1 0.2 0.15 0 0 0"),
    "joints": osim.pin(default_value="0.3", default_speed_value="0.5", range="-1 1")
    + osim.joint(
        "SliderJoint",
        "s",
        "s_parent",
        "/bodyset/b",
        osim.coordinates("x", default_value="0.2")
        + osim.frames(osim.offset("s_parent", "/bodyset/a", "0.1 -0.2 0.05", "0.2 0.1 -0.3")),
    ),
}
_ENDS = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p2", "/bodyset/b", location="0 -0.5 0"
)
_KNOTS = {"x": "-1 -0.2 0.4 1.5", "y": "0.1 0.3 -0.2 0.4"}


def _function(tag, **values):
    return f"<{tag}>{osim.leaves(values)}</{tag}>"


def _along_path(tag, name, inside="", **values):
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", _ENDS))
    return osim.element(tag, name, path + inside, **values)


def _muscle(kind, name, inside="", **values):
    values = {
        "max_isometric_force": "400",
        "optimal_fiber_length": "0.3",
        "tendon_slack_length": "0.4",
        "pennation_angle_at_optimal": "0.2",
        "max_contraction_velocity": "9",
    } | values
    return _along_path(kind, name, inside, **values)


_BUSHING = {
    "socket_frame1": "/ground",
    "socket_frame2": "/bodyset/b",
    "rotational_damping": "0.1 0.2 0.3",
    "translational_damping": "1 2 3",
}
_POINTS = {"point1": "0.1 0.2 0", "point2": "0 -0.1 0.3"}
FORCES = osim.model(
    osim.element("SpringGeneralizedForce", "sg", coordinate="x", stiffness="20", rest_length="0.1"),
    _along_path("PathSpring", "ps", resting_length="0.5", stiffness="90", dissipation="0.1"),
    _along_path("Ligament", "li", resting_length="0.5", pcsa_force="40"),
    _along_path(
        "Blankevoort1991Ligament",
        "bl",
        linear_stiffness="500",
        transition_strain="0.06",
        damping_coefficient="0.003",
        slack_length="0.6",
    ),
    osim.element(
        "BushingForce",
        "bu",
        rotational_stiffness="3 4 5",
        translational_stiffness="60 70 80",
        **_BUSHING,
    ),
    osim.element(
        "PointToPointSpring",
        "pp",
        socket_body1="/ground",
        socket_body2="/bodyset/a",
        stiffness="90",
        rest_length="0.2",
        **_POINTS,
    ),
    osim.element(
        "PrescribedForce",
        "pf",
        osim.element("FunctionSet", "forceFunctions", objects=_function("Sine", amplitude="2") * 3)
        + osim.element(
            "FunctionSet", "pointFunctions", objects=_function("Constant", value="1") * 3
        ),
        socket_frame="/bodyset/b",
        pointIsGlobal="true",
        forceIsGlobal="false",
    ),
    **_TWO_BODIES,
)
EXPRESSIONS = osim.model(
    osim.element("ExpressionBasedCoordinateForce", "ec", coordinate="q", expression="-9*q-2*qdot"),
    osim.element(
        "ExpressionBasedPointToPointForce",
        "ep",
        body1="ground",
        body2="a",
        expression="30*(d - 0.4) + 2*ddot",
        **_POINTS,
    ),
    osim.element("ExpressionBasedBushingForce", "eb", Mx_expression="3*theta_x^3", **_BUSHING),
    _along_path("ExpressionBasedPathForce", "ef", expression="8*s*(1+ldot)", resting_length="0.2"),
    osim.element(
        "FunctionBasedBushingForce",
        "fb",
        f"<f_x_delta_x_function>{_function('SimmSpline', **_KNOTS)}</f_x_delta_x_function>",
        **_BUSHING,
    ),
    **_TWO_BODIES,
)
ACTUATORS = osim.model(
    osim.element("CoordinateActuator", "ca", coordinate="q", optimal_force="20", min_control="-1"),
    osim.element("ActivationCoordinateActuator", "aa", coordinate="x", default_activation="0.3"),
    osim.element("TorqueActuator", "ta", bodyA="a", bodyB="ground", axis="1 2 -3"),
    osim.element("PointActuator", "pa", body="b", point="0.3 -0.2 0.5", direction="1 -2 0.5"),
    osim.element("PointToPointActuator", "pt", bodyA="a", bodyB="b", pointA="0.1 0.2 -0.3"),
    osim.element("BodyActuator", "ba", socket_body="/bodyset/b", point="0.3 -0.2 0.5"),
    _along_path("PathActuator", "pu", optimal_force="2.5"),
    _along_path(
        "ClutchedPathSpring", "cs", stiffness="30", dissipation="0.2", initial_stretch="0.1"
    ),
    rest=osim.members(
        "ControllerSet",
        osim.element(
            "PrescribedController",
            "pc",
            osim.element(
                "FunctionSet", "ControlFunctions", objects=_function("Constant", value="1")
            ),
            socket_actuators="/forceset/ca",
        ),
    ),
    **_TWO_BODIES,
)
MUSCLES = osim.model(
    _muscle(
        "Millard2012EquilibriumMuscle",
        "mi",
        osim.element("ActiveForceLengthCurve", "c", min_norm_active_fiber_length="0.4")
        + osim.element("ForceVelocityCurve", "c", concentric_slope_at_vmax="0.05")
        + osim.element("FiberForceLengthCurve", "c", strain_at_one_norm_force="0.6")
        + osim.element("TendonForceLengthCurve", "c", strain_at_one_norm_force="0.04"),
        fiber_damping="0.1",
        minimum_activation="0.02",
        min_control="0.02",
        default_activation="0.3",
        default_fiber_length="0.28",
    ),
    _muscle(
        "Thelen2003Muscle",
        "th",
        default_fiber_length="0.31",
        FmaxTendonStrain="0.04",
        FmaxMuscleStrain="0.5",
        KshapeActive="0.4",
        KshapePassive="4",
        Af="0.3",
        Flen="1.5",
        fv_linear_extrap_threshold="0.9",
        activation_time_constant="0.02",
    ),
    _muscle(
        "DeGrooteFregly2016Muscle",
        "dg",
        ignore_tendon_compliance="true",
        tendon_strain_at_one_norm_force="0.05",
        active_force_width_scale="1.2",
        fiber_damping="0.02",
    ),
    **_TWO_BODIES,
)
WRAPS = osim.model(
    osim.element(
        "PathSpring",
        "ps",
        osim.element(
            "GeometryPath",
            "path",
            osim.members("PathPointSet", _ENDS.replace("0.3 0.4 0.1", "0.07 0.4 0.1"))
            + osim.members(
                "PathWrapSet",
                osim.element("PathWrap", "w1", wrap_object="cylinder", method="hybrid"),
                osim.element("PathWrap", "w2", wrap_object="ellipsoid", range="-1 -1"),
            ),
        ),
        resting_length="0.5",
        stiffness="90",
        dissipation="0.1",
    ),
    rest=osim.element(
        "Ground",
        "ground",
        osim.members(
            "WrapObjectSet",
            osim.element("WrapCylinder", "cylinder", radius="0.08", length="1", quadrant="all"),
            osim.element(
                "WrapEllipsoid",
                "ellipsoid",
                dimensions="0.05 0.03 0.07",
                xyz_body_rotation="0.3 0.2 -0.5",
                translation="0.05 -0.2 0.1",
                active="true",
            ),
        ),
    ),
    **_TWO_BODIES,
)
JOINTS = osim.model(
    bodies="".join(osim.body(name, inertia="0.3 0.2 0.4 0.01 0.02 0") for name in "abcdef"),
    joints=osim.custom(
        osim.axis("rotation1", "q r", "0 0 1", osim.linear("1 0.5 0.1"))
        + osim.axis("rotation2", "r", "1 0 0", osim.element("SimmSpline", "function", **_KNOTS))
        + osim.axis("rotation3", "", "0 1 0", osim.element("Constant", "function", value="0.2"))
        + osim.axis(
            "translation1",
            "q",
            "1 0 0",
            osim.element("PolynomialFunction", "function", coefficients="0.3 0.2 0"),
        )
        + osim.axis(
            "translation2",
            "r",
            "0 1 0",
            osim.element(
                "MultiplierFunction",
                "function",
                f"<function>{_function('PiecewiseLinearFunction', **_KNOTS)}</function>",
                scale="0.5",
            ),
        )
        + osim.axis("translation3", "", "0 0 1", osim.element("Constant", "function", value="0")),
        osim.coordinates("q", "r", default_value="0.3"),
    )
    + osim.joint("BallJoint", "ball", "/bodyset/a", "/bodyset/b", osim.coordinates("x", "y", "z"))
    + osim.joint(
        "UniversalJoint", "universal", "/bodyset/b", "/bodyset/c", osim.coordinates("u", "v")
    )
    + osim.joint(
        "GimbalJoint",
        "gimbal",
        "offset",
        "/bodyset/d",
        osim.coordinates("g1", "g2", "g3", range="-2 2", clamped="true")
        + osim.frames(osim.offset("offset", "/bodyset/c", "0.1 -0.2 0.3", "0.1 0.2 0.3")),
    )
    + osim.joint(
        "EllipsoidJoint",
        "ellipsoid",
        "/bodyset/d",
        "/bodyset/e",
        osim.coordinates("e1", "e2", "e3", locked="false")
        + osim.leaves({"radii_x_y_z": "0.1 0.2 0.3"}),
    )
    + osim.joint("WeldJoint", "weld", "/bodyset/e", "/bodyset/f"),
)
CONSTRAINTS = osim.model(
    bodies=osim.body("a", "2") + osim.body("b", "1.5") + osim.body("c"),
    joints=osim.joint("PlanarJoint", "p", "/ground", "/bodyset/a", osim.coordinates("r", "x", "y"))
    + osim.joint(
        "PinJoint",
        "k",
        "o",
        "/bodyset/b",
        osim.coordinates("k", default_value="0.2")
        + osim.frames(osim.offset("o", "/bodyset/a", "0 -0.3 0")),
    )
    + osim.joint(
        "SliderJoint",
        "l",
        "/bodyset/b",
        "/bodyset/c",
        osim.coordinates(
            "l",
            default_value="0.1",
        ),
    ),
    rest=osim.members(
        "ConstraintSet",
        osim.element(
            "CoordinateCouplerConstraint",
            "coupler",
            "<coupled_coordinates_function>"
            + _function("SimmSpline", **_KNOTS)
            + "</coupled_coordinates_function>",
            isEnforced="true",
            independent_coordinate_names="k",
            dependent_coordinate_name="l",
            scale_factor="1.1",
        ),
        osim.element(
            "PointConstraint",
            "point",
            socket_body_1="/ground",
            socket_body_2="/bodyset/a",
            location_body_1="0.1 0.2 0",
            location_body_2="0.1 0.1 0",
        ),
    ),
)
_OLD_JOINT = """<Joint><CustomJoint name="{0}"><parent_body>{1}</parent_body>
<location_in_parent>0.1 -0.2 0</location_in_parent>
<orientation_in_parent>0.1 0 0.2</orientation_in_parent><location>0 0 0</location>
<orientation>0 0 0</orientation><CoordinateSet><objects><Coordinate name="{0}_q">
<motion_type>rotational</motion_type><default_value>0.2</default_value>
<default_speed_value>0</default_speed_value><range>-1 1</range><clamped>false</clamped>
<locked>false</locked></Coordinate></objects></CoordinateSet><SpatialTransform>
<TransformAxis name="rotation1"><coordinates>{0}_q</coordinates><axis>0 0 1</axis><function>
<LinearFunction><coefficients>1 0</coefficients></LinearFunction></function></TransformAxis>
<TransformAxis name="rotation2"><axis>1 0 0</axis></TransformAxis>
<TransformAxis name="rotation3"><axis>0 1 0</axis></TransformAxis>
<TransformAxis name="translation1"><axis>1 0 0</axis></TransformAxis>
<TransformAxis name="translation2"><axis>0 1 0</axis></TransformAxis>
<TransformAxis name="translation3"><axis>0 0 1</axis></TransformAxis></SpatialTransform>
<reverse>false</reverse></CustomJoint></Joint>"""
_OLD_BODY = """<Body name="{0}"><mass>2</mass><mass_center>0.1 0 0</mass_center>
<inertia_xx>0.1</inertia_xx><inertia_yy>0.1</inertia_yy><inertia_zz>0.1</inertia_zz>
<inertia_xy>0</inertia_xy><inertia_xz>0</inertia_xz><inertia_yz>0</inertia_yz>{1}</Body>"""
OLD = (
    '<OpenSimDocument Version="30000"><Model name="m"><gravity>0 -9.8 0</gravity>'
    + "<BodySet><objects>"
    + _OLD_BODY.format("ground", "<Joint/>")
    + _OLD_BODY.format("thigh", _OLD_JOINT.format("hip", "ground"))
    + _OLD_BODY.format("shank", _OLD_JOINT.format("knee", "thigh"))
    + "</objects></BodySet><ForceSet><objects>"
    + """<Thelen2003Muscle name="v"><isDisabled>false</isDisabled><min_control>0</min_control>
<GeometryPath><PathPointSet><objects><PathPoint name="v1"><location>0.1 0 0</location>
<body>thigh</body></PathPoint><ConditionalPathPoint name="v2"><location>0.1 -0.1 0</location>
<body>thigh</body><range>0 1</range><coordinate>knee_q</coordinate></ConditionalPathPoint>
<PathPoint name="v3"><location>0.1 -0.2 0.1</location><body>shank</body></PathPoint></objects>
</PathPointSet></GeometryPath><max_isometric_force>300</max_isometric_force>
<optimal_fiber_length>0.1</optimal_fiber_length><tendon_slack_length>0.2</tendon_slack_length>
</Thelen2003Muscle><CoordinateLimitForce name="l"><isDisabled>false</isDisabled>
<coordinate>knee_q</coordinate><upper_stiffness>3</upper_stiffness><upper_limit>5</upper_limit>
<lower_stiffness>2</lower_stiffness><lower_limit>-50</lower_limit><damping>0.2</damping>
<transition>10</transition></CoordinateLimitForce><CoordinateActuator name="c">
<coordinate>hip_q</coordinate><optimal_force>3</optimal_force></CoordinateActuator>"""
    + "</objects></ForceSet></Model></OpenSimDocument>"
)
TEXTS = {
    "hopper": hopper_model.HOPPER,
    "forces": FORCES,
    "expressions": EXPRESSIONS,
    "actuators": ACTUATORS,
    "muscles": MUSCLES,
    "wraps": WRAPS,
    "joints": JOINTS,
    "constraints": CONSTRAINTS,
    "old": OLD,
}
