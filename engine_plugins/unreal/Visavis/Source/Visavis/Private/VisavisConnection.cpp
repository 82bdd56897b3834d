#include "VisavisConnection.h"

namespace
{
	const TCHAR* const AngleNames[] = {TEXT("radians"), TEXT("degrees"), TEXT("halfturns")};
	const TCHAR* const SceneNames[] = {TEXT("timeofday"), TEXT("session")};

	template <typename TEnum, int32 NumNames>
	bool ParseName(const FString& Text, const TCHAR* const (&Names)[NumNames], TEnum& Value)
	{
		for (int32 Index = 0; Index < NumNames; ++Index)
		{
			if (Text.Equals(Names[Index], ESearchCase::IgnoreCase))
			{
				Value = static_cast<TEnum>(Index);
				return true;
			}
		}
		return false;
	}

	bool ParseRate(const FString& Text, int32 Lowest, int32 Highest, int32& Value)
	{
		if (!Text.IsNumeric())
		{
			return false;
		}
		const int32 Number = FCString::Atoi(*Text);
		Value = Number >= Lowest && Number <= Highest ? Number : Value;
		return Value == Number;
	}

	bool ParseSceneRate(const FString& Text, FFrameRate& Rate)
	{
		FString Numerator = Text;
		FString Denominator = TEXT("1");
		Text.Split(TEXT("/"), &Numerator, &Denominator);
		int32 Above = 0;
		int32 Below = 0;
		if (!ParseRate(Numerator, 1, 240000, Above) || !ParseRate(Denominator, 1, 1001, Below))
		{
			return false;
		}
		Rate = FFrameRate(static_cast<uint32>(Above), static_cast<uint32>(Below));
		return true;
	}

	/** An empty answer is success, else what was expected. */
	FString Set(FVisavisConnection& Connection, const FString& Key, const FString& Value)
	{
		if (Key == TEXT("endpoint"))
		{
			Connection.Endpoint = Value;
		}
		else if (Key == TEXT("heads"))
		{
			Value.ParseIntoArray(Connection.Heads, TEXT(","), true);
		}
		else if (Key == TEXT("prefix"))
		{
			Connection.SubjectPrefix = Value;
		}
		else if (Key == TEXT("rate"))
		{
			return ParseRate(Value, 1, 240, Connection.SampleRate) ? FString()
																   : FString(TEXT("a whole number from 1 to 240"));
		}
		else if (Key == TEXT("timecode"))
		{
			return ParseSceneRate(Value, Connection.SceneRate) ? FString()
															   : FString(TEXT("a rate such as 30 or 24000/1001"));
		}
		else if (Key == TEXT("scene"))
		{
			return ParseName(Value, SceneNames, Connection.SceneTime) ? FString()
																	  : FString(TEXT("timeofday or session"));
		}
		else if (Key == TEXT("angles"))
		{
			return ParseName(Value, AngleNames, Connection.AngleUnit) ? FString()
																	  : FString(TEXT("radians, degrees or halfturns"));
		}
		else if (Key == TEXT("server_key"))
		{
			Connection.ServerKey = Value;
		}
		else if (Key == TEXT("public_key"))
		{
			Connection.PublicKey = Value;
		}
		else if (Key == TEXT("secret_key"))
		{
			Connection.SecretKey = Value;
		}
		else
		{
			return TEXT(
				"one of endpoint, heads, prefix, rate, timecode, scene, angles, server_key, public_key, secret_key "
				"before the =");
		}
		return FString();
	}
}  // namespace

FString FVisavisConnection::ToString() const
{
	FString Text =
		FString::Printf(TEXT("endpoint=%s;heads=%s;prefix=%s;rate=%d;timecode=%u/%u;scene=%s;angles=%s"), *Endpoint,
						*FString::Join(Heads, TEXT(",")), *SubjectPrefix, SampleRate,
						static_cast<uint32>(SceneRate.Numerator), static_cast<uint32>(SceneRate.Denominator),
						SceneNames[static_cast<int32>(SceneTime)], AngleNames[static_cast<int32>(AngleUnit)]);
	if (!ServerKey.IsEmpty())
	{
		Text += FString::Printf(TEXT(";server_key=%s;public_key=%s;secret_key=%s"), *ServerKey, *PublicKey, *SecretKey);
	}
	return Text;
}

FVisavisConnection FVisavisConnection::FromString(const FString& Text, const FVisavisConnection& Defaults,
												  TArray<FString>& Problems)
{
	FVisavisConnection Connection = Defaults;
	TArray<FString> Parts;
	Text.ParseIntoArray(Parts, TEXT(";"), true);
	for (const FString& Part : Parts)
	{
		FString Key;
		FString Value;
		if (!Part.Split(TEXT("="), &Key, &Value))
		{
			Connection.Endpoint = Part.TrimStartAndEnd();
			continue;
		}
		const FString Expected = Set(Connection, Key.TrimStartAndEnd().ToLower(), Value.TrimStartAndEnd());
		if (!Expected.IsEmpty())
		{
			// The value of a part that is not known may be a misspelt key's: it is not repeated.
			const FString Found = Expected.StartsWith(TEXT("one of")) ? Key : Part;
			Problems.Add(
				FString::Printf(TEXT("connection string: \"%s\": expected %s"), *Found.TrimStartAndEnd(), *Expected));
		}
	}
	return Connection;
}
