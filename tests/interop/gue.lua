-- SPDX-License-Identifier: BSD-2-Clause
--
-- FOU and GUE (draft-ietf-intarea-gue-09), which Wireshark does not dissect, for capture.py.
--
-- GUE is looked for at its port 6080; FOU, whose port means the inner protocol, at 5555 and 5556
-- (IPv4, IPv6) and 5557 (GRE). Fields: gue.variant, gue.control, gue.hlen, gue.proto, gue.flags,
-- fou.proto. Of UDP from port 1024 on no other protocol is known but VXLAN and GENEVE. A header that cannot be
-- right is an expert error, as in the dissectors of Wireshark.

local gue = Proto("gue", "Generic UDP Encapsulation")
local variant = ProtoField.uint8("gue.variant", "Variant", base.DEC, nil, 0xc0)
local control = ProtoField.bool("gue.control", "Control", 8, nil, 0x20)
local words = ProtoField.uint8("gue.hlen", "Length of the optional fields", base.DEC, nil, 0x1f)
local protocol = ProtoField.uint8("gue.proto", "Protocol")
local flags = ProtoField.uint16("gue.flags", "Flags", base.HEX)
gue.fields = { variant, control, words, protocol, flags }
local wrong = ProtoExpert.new("gue.wrong", "GUE header that cannot be right",
	expert.group.MALFORMED, expert.severity.ERROR)
gue.experts = { wrong }

local inner = DissectorTable.get("ip.proto")

local function of_version(number)
	return number == 4 and 4 or number == 6 and 41 or nil
end

local function pass(number, rest, pinfo, tree)
	local dissector = inner:get_dissector(number)
	if dissector == nil then
		return false
	end
	dissector:call(rest, pinfo, tree)
	return true
end

function gue.dissector(buffer, pinfo, tree)
	if buffer:len() < 1 then
		return 0
	end
	pinfo.cols.protocol = "GUE"
	local first = buffer(0, 1):uint()
	if first >= 0x40 and first < 0x80 then -- variant 1: an IP header straight away
		local branch = tree:add(gue, buffer(0, 0))
		branch:add(variant, buffer(0, 1))
		local number = of_version(math.floor(first / 16))
		if number == nil then
			branch:add_proto_expert_info(wrong)
			return buffer:len()
		end
		pass(number, buffer:range(0):tvb(), pinfo, tree)
		return buffer:len()
	end
	local length = 4 + (first % 32) * 4
	local branch = tree:add(gue, buffer(0, math.min(length, buffer:len())))
	branch:add(variant, buffer(0, 1))
	if first >= 0x80 or buffer:len() < length then
		branch:add_proto_expert_info(wrong)
		return buffer:len()
	end
	branch:add(control, buffer(0, 1))
	branch:add(words, buffer(0, 1))
	branch:add(protocol, buffer(1, 1))
	branch:add(flags, buffer(2, 2))
	if buffer:len() > length and not pass(buffer(1, 1):uint(), buffer:range(length):tvb(), pinfo,
			tree) then
		branch:add_proto_expert_info(wrong)
	end
	return buffer:len()
end

local fou = Proto("fou", "Foo over UDP")
local carried = ProtoField.uint8("fou.proto", "Protocol")
fou.fields = { carried }
local by_port = { [5555] = 4, [5556] = 41, [5557] = 47 }

function fou.dissector(buffer, pinfo, tree)
	local number = by_port[pinfo.dst_port]
	if number == nil then
		return 0
	end
	pinfo.cols.protocol = "FOU"
	tree:add(fou, buffer(0, 0)):add(carried, number)
	pass(number, buffer:range(0):tvb(), pinfo, tree)
	return buffer:len()
end

-- Source ports of tunnels are numbers of no meaning, and one of another protocol's would be taken for its
-- own. None is below 1024, where DHCP and DNS are.
local ports = DissectorTable.get("udp.port")
for port = 1024, 65535 do
	local known = ports:get_dissector(port)
	if known and port ~= 4789 and port ~= 6081 then -- VXLAN, GENEVE
		ports:remove(port, known)
	end
end
ports:add(6080, gue)
for port, _ in pairs(by_port) do
	ports:add(port, fou)
end
